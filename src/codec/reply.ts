import { z } from 'zod'

import { BackhaulError } from '../contract/index.ts'
import { readOptions } from '../kit/options.ts'
import { decodeUtf8 } from './utf8.ts'

/** Which command a reply is for, who gives it, and when. */
export interface ReplyHead {
  /** The command's id, or `undefined` where none could be read. */
  readonly id: string | undefined
  /** The command's name, or `undefined` where none could be read. */
  readonly command: string | undefined
  /** The device that answers. */
  readonly device: string
  /** When: ISO 8601 in UTC. */
  readonly time: string
}

/** The answer to a command. */
export type Reply =
  | (ReplyHead & { readonly status: 'ok'; readonly result: unknown })
  | (ReplyHead & { readonly status: 'error'; readonly error: ReplyError })

/** Why a command was not carried out. */
export interface ReplyError {
  /** A code of `BackhaulError`, for example `COMMAND_UNKNOWN`. */
  readonly code: string
  /** The reason and what mends it. */
  readonly message: string
}

const headShape = {
  id: z.string().optional(),
  command: z.string().optional(),
  device: z.string(),
  time: z.string(),
}

// no strict object: a later device may say more
const replySchema = z.discriminatedUnion('status', [
  z.object({ ...headShape, status: z.literal('ok'), result: z.unknown() }),
  z.object({
    ...headShape,
    status: z.literal('error'),
    error: z.object({ code: z.string(), message: z.string() }),
  }),
])

/** Writes a reply. A result that JSON cannot hold becomes an error reply with the code `INTERNAL`. */
export function encodeReply(reply: Reply): string {
  const { id, command, device, status, time } = reply
  if (status === 'error') {
    const { code, message } = reply.error
    return JSON.stringify({ id, command, device, status, error: { code, message }, time })
  }
  try {
    return JSON.stringify({ id, command, device, status, result: reply.result ?? null, time })
  } catch {
    const message = 'Cannot answer the command: its result does not fit into JSON, report it'
    return JSON.stringify({
      id,
      command,
      device,
      status: 'error',
      error: { code: 'INTERNAL', message },
      time,
    })
  }
}

/**
 * Reads a reply, for whoever sent the command.
 *
 * @throws BackhaulError `INVALID_MESSAGE` when it is none.
 */
export function decodeReply(bytes: Uint8Array): Reply {
  const reply = readOptions(replySchema, parse(bytes), 'the reply', 'INVALID_MESSAGE')
  const { device, time } = reply
  const head = { id: reply.id, command: reply.command, device, time }
  return reply.status === 'ok'
    ? { ...head, status: 'ok', result: reply.result }
    : { ...head, status: 'error', error: reply.error }
}

function parse(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(decodeUtf8(bytes) ?? '')
  } catch (cause) {
    throw new BackhaulError(
      'INVALID_MESSAGE',
      'Cannot use the reply: it is not JSON, look at who sends there',
      cause,
    )
  }
}
