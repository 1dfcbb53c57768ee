import { readFileSync } from 'node:fs'

import type { Deliveries, Delivery, Link, Message, Outcome, TlsSettings } from '../../src/contract/index.ts'
import type { PairFiles } from '../pki.ts'

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
    crl: undefined,
    cert: pair && readFileSync(pair.cert, 'utf8'),
    key: pair && readFileSync(pair.key, 'utf8'),
    pfx: undefined,
    passphrase: undefined,
    serverName: undefined,
    minVersion: 'TLSv1.2',
    maxVersion: 'TLSv1.3',
    ciphers: undefined,
    curves: undefined,
    insecureSkipHostName: false,
    insecureSkipVerify: false,
    ownSubject: pair && 'CN=test',
    expiresAtMs: undefined,
    ...more,
  }
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

/** The payload as text. */
export function text({ payload }: Delivery): string {
  return Buffer.from(payload).toString()
}

/** What became of each message, in words. */
export function words(outcomes: readonly Outcome[]): string[] {
  return outcomes.map((outcome) =>
    outcome.kind === 'refused' ? `refused ${outcome.scope} ${outcome.error.code}` : outcome.kind,
  )
}

/** Subscribes. */
export function subscribe(
  link: Link,
  topics: readonly string[],
  group?: string,
  maxInWork = 100,
): Promise<Deliveries> {
  return link.subscribe(topics, { group, maxInWork }, NEVER)
}

/** Takes `count` deliveries, acknowledging each unless told otherwise. */
export async function take(deliveries: Deliveries, count: number, acknowledge = true): Promise<Delivery[]> {
  const taken: Delivery[] = []
  while (taken.length < count) {
    const next = await deliveries.next()
    if (next.done === true) throw new Error(`the stream ended after ${taken.length} of ${count}`)
    if (acknowledge) next.value.ack()
    taken.push(next.value)
  }
  return taken
}
