import type { EventEmitter } from 'node:events'

import { BackhaulError } from '../../../contract/index.ts'
import { requireDriver } from '../../../kit/driver.ts'

/*
 * The part of `@confluentinc/kafka-javascript` that is used: its raw producer and consumer, which are librdkafka's own. The package is
 * an optional peer and native, so its types are written down here.
 */

const PACKAGE = '@confluentinc/kafka-javascript'
const RANGE = '^1.10.1'
/** Without these, librdkafka was built without the -dev packages that it needs. */
const NEEDED = ['ssl', 'sasl_plain', 'sasl_scram', 'sasl_oauthbearer'] as const

/** An error of librdkafka. */
export interface NativeError {
  /** Its number: of Kafka's protocol from 0 up, of librdkafka's own below. */
  readonly code: number
  /** Its words. */
  readonly message: string
}

/** A line of librdkafka's log. */
export interface LogLine {
  /** What it is about, for example `FAIL`. */
  readonly fac: string
  /** The text. */
  readonly message: string
}

/** A partition, and perhaps an offset in it. */
export interface NativePlace {
  /** The topic. */
  readonly topic: string
  /** The partition's number. */
  readonly partition: number
  /** The offset: from 0 up, or one of librdkafka's words below. */
  readonly offset?: number | undefined
  /** Why it is not to be had. */
  readonly error?: NativeError | undefined
}

/** What a broker tells of its topics. */
export interface NativeMetadata {
  /** Those asked for. One that is not to be had has no partitions, or is left out. */
  readonly topics: readonly {
    readonly name: string
    readonly partitions: readonly { readonly id: number }[]
  }[]
}

/** What metadata is asked for. */
export interface MetadataQuestion {
  /** One topic. */
  readonly topic?: string
  /** All of them. */
  readonly allTopics: boolean
  /** How long a thread may wait for the answer, in milliseconds. */
  readonly timeout: number
}

/** Takes what was asked for. */
export type Callback<T = unknown> = (error: NativeError | null | undefined, value: T) => void

/** What producers and consumers have in common. */
export interface NativeClient extends EventEmitter {
  /** Connects, and asks for metadata. */
  connect(question: MetadataQuestion, done: Callback<NativeMetadata>): void
  /** Asks for metadata. */
  getMetadata(question: MetadataQuestion, done: Callback<NativeMetadata>): void
}

/** What became of one message. */
export interface DeliveryReport<T> {
  /** What was handed in with it. */
  readonly opaque: T
}

/** librdkafka's producer. */
export interface NativeProducer extends NativeClient {
  /** Hands a message over; throws where it is not taken. */
  produce(
    topic: string,
    partition: number | null,
    payload: Uint8Array,
    key: string | null,
    timestamp: number | null,
    opaque: unknown,
    headers: readonly Readonly<Record<string, string>>[],
  ): void
  /** Reports come from a thread of their own. */
  setPollInBackground(on: boolean): void
  /** Ends it after at most so many milliseconds of waiting for what is on its way. */
  disconnect(flushMs: number, done: () => void): void
}

/** A message that was read. */
export interface NativeMessage {
  /** The topic. */
  readonly topic: string
  /** The partition's number. */
  readonly partition: number
  /** Its offset there. */
  readonly offset: number
  /** When it was made or stored, in milliseconds since 1970. */
  readonly timestamp?: number
  /** Its key. */
  readonly key?: Buffer | string | null
  /** Its value. */
  readonly value: Buffer | null
  /** Its headers, one a record. */
  readonly headers?: readonly Readonly<Record<string, Buffer | string>>[]
}

/** librdkafka's consumer. */
export interface NativeConsumer extends NativeClient {
  /** How long `consume()` holds a thread when there is nothing, in milliseconds. */
  setDefaultConsumeTimeout(ms: number): void
  /** Joins the group. */
  subscribe(topics: readonly string[]): void
  /** Reads these and no others. */
  assign(places: readonly NativePlace[]): void
  /** Reads nothing. */
  unassign(): void
  /** Reads these too. */
  incrementalAssign(places: readonly NativePlace[]): void
  /** Does not read these any more. */
  incrementalUnassign(places: readonly NativePlace[]): void
  /** Whether what was assigned may be somebody else's by now. */
  assignmentLost(): boolean
  /** `COOPERATIVE`, `EAGER` or `NONE`. */
  rebalanceProtocol(): string
  /** Takes what there is, at most so many. */
  consume(count: number, done: Callback<readonly NativeMessage[]>): void
  /** Stops fetching. */
  pause(places: readonly NativePlace[]): void
  /** Goes on fetching. */
  resume(places: readonly NativePlace[]): void
  /** Confirms offsets. */
  commitCb(places: readonly NativePlace[], done: Callback): void
  /** The offsets that were confirmed. */
  committed(places: readonly NativePlace[], timeout: number, done: Callback<readonly NativePlace[]>): void
  /** The first offset of a partition and the one behind its last message. */
  queryWatermarkOffsets(
    topic: string,
    partition: number,
    timeout: number,
    done: Callback<{ readonly lowOffset: number; readonly highOffset: number }>,
  ): void
  /** The same as far as fetching has told; negative where it has not. */
  getWatermarkOffsets(
    topic: string,
    partition: number,
  ): { readonly lowOffset: number; readonly highOffset: number }
  /** Ends it; leaves the group. */
  disconnect(done: () => void): void
}

/** What a broker tells of one topic. */
export interface TopicDescription {
  /** Its name. */
  readonly name: string
  /** Why it is not to be had. */
  readonly error?: NativeError | undefined
  /** Its partitions. */
  readonly partitions: readonly unknown[]
}

/** Questions to the cluster, over the connections of a producer. */
export interface NativeAdmin {
  /** Asks about topics. */
  describeTopics(
    topics: readonly string[],
    options: { readonly timeout: number },
    done: Callback<readonly TopicDescription[]>,
  ): void
}

/** A value of librdkafka's configuration, or a callback of the binding's. */
export type NativeValue = string | number | boolean | ((...args: never[]) => void)

/** The package. */
export interface Binding {
  /** How librdkafka was built. */
  readonly features: readonly string[]
  /** librdkafka's version. */
  readonly librdkafkaVersion: string
  /** Makes a producer. Throws at a property that is not valid. */
  readonly Producer: new (configuration: Record<string, NativeValue>) => NativeProducer
  /** Makes a consumer. Throws at a property that is not valid. */
  readonly KafkaConsumer: new (configuration: Record<string, NativeValue>) => NativeConsumer
  /** Makes what asks. */
  readonly AdminClient: { createFrom(client: NativeClient): NativeAdmin }
}

/**
 * Loads the binding, and checks how its librdkafka was built.
 *
 * @throws BackhaulError `DRIVER_MISSING`
 */
export function loadBinding(): Binding {
  const found = requireDriver(PACKAGE, RANGE, 'use the driver librdkafka')
  if (!isBinding(found)) {
    throw new BackhaulError(
      'DRIVER_MISSING',
      `Cannot use the driver librdkafka: "${PACKAGE}" is not as it should be, run npm install ${PACKAGE}@${RANGE}`,
    )
  }
  const missing = NEEDED.filter((feature) => !found.features.includes(feature))
  if (missing.length > 0) {
    throw new BackhaulError(
      'DRIVER_MISSING',
      `Cannot use the driver librdkafka: it was built without ${missing.join(', ')}, install libssl-dev and libsasl2-dev and build it again with CKJS_LINKING=dynamic npm install --force ${PACKAGE}`,
    )
  }
  return found
}

function isBinding(found: unknown): found is Binding {
  if (typeof found !== 'object' || found === null) return false
  return ['Producer', 'KafkaConsumer', 'AdminClient', 'features'].every((name) => name in found)
}
