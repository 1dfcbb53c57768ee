import type { InputRecord, InputSchema, PayloadName } from '../codec/index.ts'
import { PAYLOADS, readRecord } from '../codec/index.ts'
import type { OutboundMessage } from '../contract/index.ts'
import { BackhaulError } from '../contract/index.ts'
import type { LineOutcome } from './input-runner.ts'
import { compileKey, compileTopic } from './template.ts'

/** Takes a message over; resolves when an outbox holds it. */
export type SendMessage = (message: OutboundMessage) => Promise<unknown>

/** One route, as far as messages are concerned. */
export interface RouteOptions {
  /** Topic with placeholders. */
  readonly topic: string
  /** How the payload is written. */
  readonly payload: PayloadName
  /** Dotted path of the key, or `undefined` for none. */
  readonly key: string | undefined
  /** Where its messages go. */
  readonly send: SendMessage
}

/** What all routes of one input have in common. */
export interface RoutingContext {
  /** The device's id. */
  readonly deviceId: string
  /** The input's name. */
  readonly input: string
  /** How its lines are read. */
  readonly schema: InputSchema
  /** Makes message ids. */
  readonly nextId: () => string
}

type MakeMessage = (record: InputRecord) => OutboundMessage

/** Reads each line by its schema, makes one message a route, and waits until all are taken. Never rejects. */
export function routeLines(
  routes: readonly RouteOptions[],
  context: RoutingContext,
): (line: Uint8Array) => Promise<LineOutcome> {
  const compiled = routes.map((route) => ({ make: compileRoute(route, context), send: route.send }))
  return async (line) => {
    let record: InputRecord
    try {
      record = readRecord(context.schema, line)
    } catch (error) {
      return { accepted: 0, errors: [known(error)], malformed: true }
    }
    let accepted = 0
    const errors: BackhaulError[] = []
    for (const { make, send } of compiled) {
      try {
        await send(make(record))
        accepted += 1
      } catch (error) {
        errors.push(known(error))
      }
    }
    return { accepted, errors, malformed: false }
  }
}

function compileRoute(route: RouteOptions, { deviceId, input, nextId }: RoutingContext): MakeMessage {
  const encoder = PAYLOADS[route.payload]
  const topicOf = compileTopic(route.topic, { device: deviceId, input })
  const keyOf = compileKey(route.key)
  const headers = encoder.contentType === undefined ? undefined : { 'content-type': encoder.contentType }
  return (record) => {
    const id = nextId()
    const payload = encoder.encode(record, { id, deviceId, input })
    if (payload === undefined) {
      throw new BackhaulError(
        'INVALID_MESSAGE',
        `Cannot write "${route.payload}": the line is no detection, use the schema "detection" or the payload "raw"`,
      )
    }
    return { id, topic: topicOf(record), payload, key: keyOf(record), headers }
  }
}

function known(error: unknown): BackhaulError {
  if (error instanceof BackhaulError) return error
  return new BackhaulError('INTERNAL', 'Cannot make a message of a line: the agent failed, report it', error)
}
