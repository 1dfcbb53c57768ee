import type { DetectionEvent } from '../contract/index.ts'
import { CLOUDEVENTS_CONTENT_TYPE, writeCloudEvent } from './cloudevents.ts'
import { readDetection, writeDetection } from './detection.ts'
import { writeMinimal } from './deepstream/minimal.ts'
import { readDeepStream } from './deepstream/reader.ts'
import type { DeepStreamPayload, InputSchema, PayloadName } from './options.ts'

/** One line of an input, read by the input's schema. */
export interface InputRecord {
  /** The line as it came, without its end. */
  readonly line: Uint8Array
  /** What it says, unless the schema is `lines`. */
  readonly detection: DetectionEvent | undefined
}

/** Where a payload is sent from. */
export interface PayloadContext {
  /** The message's id. */
  readonly id: string
  /** The device that sends it. */
  readonly deviceId: string
  /** The input that the record came from. */
  readonly input: string
}

/** Turns records into payloads. */
export interface PayloadEncoder {
  /** The content type of its payloads, for a `content-type` header; `undefined` where nobody knows. */
  readonly contentType: string | undefined
  /** Makes the payload of one record. `undefined`: it needs a detection, and the record holds none. */
  encode(record: InputRecord, context: PayloadContext): Uint8Array | string | undefined
}

/** Every payload that a route can name, but for those that DeepStream's converter makes: they may be many or none. */
export const PAYLOADS: Readonly<Record<Exclude<PayloadName, DeepStreamPayload>, PayloadEncoder>> = {
  'detection-minimal': {
    contentType: 'application/json',
    encode: ({ detection }) => detection && writeMinimal(detection),
  },
  cloudevents: {
    contentType: CLOUDEVENTS_CONTENT_TYPE,
    encode: ({ detection }, context) => detection && writeCloudEvent(detection, context),
  },
  json: {
    contentType: 'application/json',
    encode: ({ detection }) => detection && writeDetection(detection),
  },
  raw: { contentType: undefined, encode: ({ line }) => line },
}

/**
 * Reads one line of an input by its schema.
 *
 * @throws BackhaulError `INVALID_MESSAGE` when it does not fit.
 */
export function readRecord(schema: InputSchema, line: Uint8Array): InputRecord {
  return { line, detection: schema === 'lines' ? undefined : READERS[schema](line) }
}

const READERS = { detection: readDetection, deepstream: readDeepStream }
