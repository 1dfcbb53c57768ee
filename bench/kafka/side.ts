import type { Figures as RoundFigures } from '../process.ts'

/** The ones that are compared: Backhaul with each of its drivers, and those drivers bare. */
export const SIDES = ['backhaul', 'backhaul-librdkafka', 'platformatic', 'librdkafka'] as const
/** One of {@link SIDES}. */
export type SideName = (typeof SIDES)[number]

/** What a side is called in the table. */
export const TITLES: Readonly<Record<SideName, string>> = {
  backhaul: 'Backhaul',
  'backhaul-librdkafka': 'Backhaul, driver librdkafka',
  platformatic: 'bare @platformatic/kafka, batched',
  librdkafka: 'bare librdkafka binding',
}

/** One row of the table: what each side does in every round. */
export interface Row {
  /** Produce, or consume what lies in a topic. */
  readonly direction: 'produce' | 'consume'
  /** Plaintext, or mutual TLS. */
  readonly listener: 'plain' | 'mutual'
  /** Payload bytes of each message. */
  readonly bytes: number
  /** How many messages a round has. */
  readonly messages: number
}

/** Where the broker is. */
export interface Place {
  /** Host and port. */
  readonly address: string
  /** Files in PEM for mutual TLS; absent for plaintext. */
  readonly tls?: { readonly ca: string; readonly cert: string; readonly key: string }
}

/** What one round took. */
export interface Figures extends RoundFigures {
  /** Half of the messages took no longer, in milliseconds. */
  readonly p50Ms: number
  /** Of a hundred messages, 99 took no longer. */
  readonly p99Ms: number
}

/** How many messages a producer has on their way at once. */
export const IN_FLIGHT = 1000
/** The keys of the messages, in turn. */
export const KEYS: readonly string[] = Array.from({ length: 16 }, (_, index) => `camera-${index}`)
/** The header of every message. */
export const HEADER = ['content-type', 'application/json'] as const
/** The id of every message of a bare client: as many bytes as Backhaul's own. */
export const ID = ['backhaul-id', '01JDFY6Z4Q8W3M5N7P9R2T4V6X'] as const

/** A client of one library. */
export interface Side {
  /**
   * Produces `latencies.length` messages, {@link IN_FLIGHT} at once, with acks=all, keys and headers; resolves when the broker has
   * acknowledged the last one. `latencies` gets how long each took, in milliseconds.
   */
  produce(topic: string, payloads: readonly Buffer[], latencies: Float64Array): Promise<void>
  /** Gets ready to read a topic from its beginning, in a group that nobody was in before. */
  consume(topic: string, group: string): Promise<Consumption>
  /** Ends it. */
  close(): Promise<void>
}

/** One reading of a topic. */
export interface Consumption {
  /** Begins; `received` is called for each message, which is then confirmed. */
  start(received: (payload: Uint8Array) => void): Promise<void>
  /** Ends it. */
  stop(): Promise<void>
}

/** The way of a library with callbacks to {@link Side.produce}. */
export function produceAll(
  latencies: Float64Array,
  send: (index: number, done: (index: number, error?: unknown) => void) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let next = 0
    let open = latencies.length
    const issue = (): void => {
      const index = next
      next += 1
      latencies[index] = performance.now()
      send(index, done)
    }
    const done = (index: number, error?: unknown): void => {
      if (error !== undefined && error !== null) reject(error)
      latencies[index] = performance.now() - (latencies[index] ?? 0)
      open -= 1
      if (open === 0) resolve()
      else if (next < latencies.length) issue()
    }
    for (let started = Math.min(IN_FLIGHT, latencies.length); started > 0; started -= 1) issue()
  })
}
