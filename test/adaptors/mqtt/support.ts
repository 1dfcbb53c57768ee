import { readFileSync } from 'node:fs'

import { mqtt } from '../../../src/adaptors/mqtt/index.ts'
import type {
  Auth,
  Deliveries,
  Delivery,
  Link,
  Message,
  Outcome,
  TlsSettings,
} from '../../../src/contract/index.ts'
import { parseAddress } from '../../../src/kit/address.ts'
import type { PairFiles } from '../../pki.ts'

/** A signal that never aborts. */
export const NEVER: AbortSignal = new AbortController().signal

/** TLS settings from files. */
export function tlsFrom(
  ca: string | undefined,
  pair?: PairFiles,
  more: Partial<TlsSettings> = {},
): TlsSettings {
  return {
    ca: ca === undefined ? undefined : [readFileSync(ca, 'utf8')],
    cert: pair && readFileSync(pair.cert, 'utf8'),
    key: pair && readFileSync(pair.key, 'utf8'),
    pfx: undefined,
    passphrase: undefined,
    serverName: undefined,
    minVersion: 'TLSv1.2',
    maxVersion: 'TLSv1.3',
    ciphers: undefined,
    curves: undefined,
    insecureSkipVerify: false,
    ownSubject: pair && 'CN=test',
    expiresAtMs: undefined,
    ...more,
  }
}

/** How a test dials. */
export interface DialOptions {
  /** MQTT's own options. */
  readonly options?: Readonly<Record<string, unknown>>
  /** TLS, for addresses that want it. */
  readonly tls?: TlsSettings
  /** User and password. */
  readonly auth?: Auth
  /** Gives up. */
  readonly signal?: AbortSignal
}

/** Dials through the adaptor. */
export function dial(
  url: string,
  { options = {}, tls, auth, signal = NEVER }: DialOptions = {},
): Promise<Link> {
  return mqtt.dial({ options: mqtt.options(parseAddress(url), options), tls, auth }, signal)
}

let lastId = 0

/** A message with a new id. */
export function message(topic: string, payload: string | Uint8Array, more: Partial<Message> = {}): Message {
  lastId += 1
  const bytes = typeof payload === 'string' ? Buffer.from(payload) : payload
  return { id: `id-${lastId}`, topic, payload: bytes, key: undefined, headers: undefined, ...more }
}

/** Publishes a batch and waits for every outcome, in the order of the batch. */
export function publish(
  link: Link,
  batch: readonly Message[],
  signal: AbortSignal = NEVER,
): Promise<Outcome[]> {
  return new Promise((resolve, reject) => {
    const outcomes: Outcome[] = []
    let count = 0
    link.publish(
      batch,
      (index, outcome) => {
        if (outcomes[index] !== undefined) reject(new Error(`message ${index} was settled twice`))
        outcomes[index] = outcome
        count += 1
        if (count === batch.length) resolve(outcomes)
      },
      signal,
    )
  })
}

/** What became of each message, in a word. */
export function kinds(outcomes: readonly Outcome[]): string[] {
  return outcomes.map((outcome) => outcome.kind)
}

/** Subscribes without a group. */
export function subscribe(link: Link, topics: readonly string[], maxInWork = 100): Promise<Deliveries> {
  return link.subscribe(topics, { group: undefined, maxInWork }, NEVER)
}

/** Takes `count` deliveries, acknowledging each unless told otherwise. */
export async function take(deliveries: Deliveries, count: number, acknowledge = true): Promise<Delivery[]> {
  const taken: Delivery[] = []
  while (taken.length < count) {
    const next = await deliveries.next()
    if (next.done === true) break
    if (acknowledge) next.value.ack()
    taken.push(next.value)
  }
  return taken
}

/** The payload as text. */
export function text(delivery: Delivery): string {
  return Buffer.from(delivery.payload).toString()
}
