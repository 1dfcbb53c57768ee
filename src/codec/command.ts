/**
 * Commands and their replies, as JSON in UTF-8:
 *
 * ```json
 * { "id": "01J...", "command": "ping", "args": { "text": "hello" }, "replyTo": "cloud/replies" }
 * { "id": "01J...", "command": "ping", "device": "edge-7", "status": "ok", "result": { ... }, "time": "2026-01-02T03:04:05.678Z" }
 * { "id": "01J...", "command": "pnig", "device": "edge-7", "status": "error",
 *   "error": { "code": "COMMAND_UNKNOWN", "message": "Cannot ..." }, "time": "2026-01-02T03:04:05.678Z" }
 * ```
 *
 * A command needs `id` and `command`. It is refused as a whole when it is larger than 64 KiB, not UTF-8, not JSON, nested
 * deeper than 32, names anything twice, or has a field that is not listed. Whatever of its `id`, `command` and `replyTo`
 * could be read comes with the refusal, so that the sender gets an answer.
 */
import { z } from 'zod'

import type { Command } from '../contract/index.ts'
import { BackhaulError } from '../contract/index.ts'
import { readOptions } from '../kit/options.ts'
import type { JsonFault } from './json-scan.ts'
import { scanJson } from './json-scan.ts'
import { decodeUtf8 } from './utf8.ts'

/** The largest command in bytes. */
export const MAX_COMMAND_BYTES = 64 * 1024

const MAX_DEPTH = 32

const idSchema = z
  .string()
  .min(1)
  .max(128)
  // oxlint-disable-next-line no-control-regex -- control characters are what it keeps out
  .regex(/^[^\u0000-\u001f\u007f]*$/, 'must have no control characters')
const nameSchema = z
  .string()
  .max(64)
  .regex(/^[a-z][a-z0-9-]*$/, 'must be a name in lower case, with digits and hyphens')
const topicSchema = z.string().min(1).max(1024)

const commandSchema = z.strictObject({
  id: idSchema,
  command: nameSchema,
  args: z.record(z.string(), z.unknown()).default({}),
  replyTo: topicSchema.optional(),
})

/** A command with the topic that its sender listens on, where it names one. */
export interface ReceivedCommand extends Command {
  /** Where the reply is wanted. Whether it goes there is for the device's policy to say. */
  readonly replyTo: string | undefined
}

/** What the bytes of a command come to. */
export type DecodedCommand =
  | { readonly ok: true; readonly command: ReceivedCommand }
  | {
      readonly ok: false
      /** `COMMAND_INVALID`, with everything that is wrong. */
      readonly error: BackhaulError
      /** The id, where one could be read. */
      readonly id: string | undefined
      /** The name of the command, where one could be read. */
      readonly command: string | undefined
      /** Where the reply is wanted, where that could be read. */
      readonly replyTo: string | undefined
    }

/** Reads a command. Never throws, whatever the bytes are. */
export function decodeCommand(bytes: Uint8Array): DecodedCommand {
  let input: unknown
  try {
    input = parseCommand(bytes)
    checkText(bytes)
    const { id, command, args, replyTo } = readOptions(commandSchema, input, 'the command', 'COMMAND_INVALID')
    return { ok: true, command: { id, command, args, replyTo } }
  } catch (cause) {
    const error =
      cause instanceof BackhaulError
        ? cause
        : refusal('it cannot be read, send it in the documented form', cause)
    return {
      ok: false,
      error,
      id: fieldOf(input, 'id', idSchema),
      command: fieldOf(input, 'command', nameSchema),
      replyTo: fieldOf(input, 'replyTo', topicSchema),
    }
  }
}

/** Writes a command, for whoever sends one. */
export function encodeCommand(command: Command & { readonly replyTo?: string | undefined }): string {
  const { id, args, replyTo } = command
  return JSON.stringify({ id, command: command.command, args, replyTo })
}

function parseCommand(bytes: Uint8Array): unknown {
  if (bytes.length > MAX_COMMAND_BYTES) {
    throw refusal(`it has ${bytes.length} bytes, send at most ${MAX_COMMAND_BYTES}`)
  }
  const text = decodeUtf8(bytes)
  if (text === undefined) throw refusal('it is not UTF-8, send JSON in UTF-8')
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw refusal('it is not JSON, send one JSON object', cause)
  }
}

const FAULTS: Readonly<Record<JsonFault, string>> = {
  deep: `it is nested deeper than ${MAX_DEPTH}, send flatter arguments`,
  duplicate: 'it gives a name twice in one object, send each once',
  prototype: 'it uses the name "__proto__", choose another',
}

function checkText(bytes: Uint8Array): void {
  const fault = scanJson(decodeUtf8(bytes) ?? '', MAX_DEPTH)
  if (fault !== undefined) throw refusal(FAULTS[fault])
}

function fieldOf(input: unknown, name: string, schema: z.ZodType<string>): string | undefined {
  if (typeof input !== 'object' || input === null || !Object.hasOwn(input, name)) return undefined
  return schema.safeParse(Reflect.get(input, name)).data
}

function refusal(why: string, cause?: unknown): BackhaulError {
  return new BackhaulError('COMMAND_INVALID', `Cannot use the command: ${why}`, cause)
}
