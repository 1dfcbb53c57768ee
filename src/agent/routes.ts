import type {
  ConverterOptions,
  DeepStreamPayload,
  InputRecord,
  InputSchema,
  Payload,
  PayloadName,
} from '../codec/index.ts'
import {
  createConverter,
  DEEPSTREAM_PAYLOADS,
  isDeepStreamPayload,
  PAYLOADS,
  readRecord,
} from '../codec/index.ts'
import type { DetectionEvent, OutboundMessage } from '../contract/index.ts'
import { BackhaulError } from '../contract/index.ts'
import { createJsonPath } from '../kit/json-path.ts'
import type { LineOutcome } from './input-runner.ts'
import { compileTopic } from './template.ts'

/** Takes a message over; resolves when an outbox holds it. */
export type SendMessage = (message: OutboundMessage) => Promise<unknown>

/** One route, as far as messages are concerned. */
export interface RouteOptions {
  /** Topic with placeholders. */
  readonly topic: string
  /** How the payload is written. */
  readonly payload: PayloadName
  /** `sensorId` for that of the detection, or a dotted path of the text in the JSON payload; `undefined` for none. */
  readonly key: string | undefined
  /** How DeepStream's payloads are made. @default the converter's own defaults */
  readonly converter?: Omit<ConverterOptions, 'schema'> | undefined
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
  /** Milliseconds since 1970. @default the machine's clock */
  readonly now?: (() => number) | undefined
}

/** The messages of one record, in their order. */
type MakeMessages = (record: InputRecord) => readonly OutboundMessage[]

/** Reads each line by its schema, makes the messages of each route, and waits until all are taken. Never rejects. */
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
      let messages: readonly OutboundMessage[]
      try {
        messages = make(record)
      } catch (error) {
        errors.push(known(error))
        continue
      }
      for (const message of messages) {
        try {
          await send(message)
          accepted += 1
        } catch (error) {
          errors.push(known(error))
        }
      }
    }
    return { accepted, errors, malformed: false }
  }
}

function compileRoute(route: RouteOptions, context: RoutingContext): MakeMessages {
  const { payload } = route
  if (isDeepStreamPayload(payload)) return compileConverter(route, payload, context)
  const { deviceId, input, nextId } = context
  const encoder = PAYLOADS[payload]
  const topicOf = compileTopic(route.topic, { device: deviceId, input })
  const keyOf = compileKey(route)
  const headers = encoder.contentType === undefined ? undefined : { 'content-type': encoder.contentType }
  return (record) => {
    const id = nextId()
    const bytes = encoder.encode(record, { id, deviceId, input })
    if (bytes === undefined) throw noDetection(payload)
    return [{ id, topic: topicOf(record), payload: bytes, key: keyOf(bytes, record.detection), headers }]
  }
}

/** A route whose payloads DeepStream's converter makes: none, one or many of a detection. */
function compileConverter(
  route: RouteOptions,
  payload: DeepStreamPayload,
  { deviceId, input, nextId, now }: RoutingContext,
): MakeMessages {
  const schema = DEEPSTREAM_PAYLOADS[payload]
  const convert = createConverter({ ...route.converter, schema, ...(now !== undefined && { now }) })
  const topicOf = compileTopic(route.topic, { device: deviceId, input })
  const keyOf = compileKey(route)
  return (record) => {
    if (record.detection === undefined) throw noDetection(payload)
    const { event, payloads } = convert(record.detection)
    if (payloads.length === 0) return []
    const topic = topicOf({ line: record.line, detection: event })
    return payloads.map((bytes) => ({ id: nextId(), topic, payload: bytes, key: keyOf(bytes, event) }))
  }
}

/**
 * Makes a function that finds the key of a message. A path is looked for in the payload, as the Kafka adaptor of DeepStream is meant to
 * (`partition-key`): a protobuf payload has none, and goes by its sensor.
 */
function compileKey({
  key,
  payload: name,
}: RouteOptions): (payload: Payload, detection: DetectionEvent | undefined) => string | undefined {
  if (key === undefined) return () => undefined
  if (key === 'sensorId' || name === 'deepstream-protobuf') return (_, detection) => detection?.sensorId
  const find = createJsonPath(key)
  return (payload) => find(typeof payload === 'string' ? Buffer.from(payload) : payload)
}

function noDetection(payload: PayloadName): BackhaulError {
  return new BackhaulError(
    'INVALID_MESSAGE',
    `Cannot write "${payload}": the line is no detection, use the schema "detection" or the payload "raw"`,
  )
}

function known(error: unknown): BackhaulError {
  if (error instanceof BackhaulError) return error
  return new BackhaulError('INTERNAL', 'Cannot make a message of a line: the agent failed, report it', error)
}
