import { createHmac, randomBytes } from 'node:crypto'

import type { Connection } from './connection.ts'

/** Something that can be shared, and is closed by the last who lets go of it. */
export interface Closeable {
  /** Ends it. */
  close(): Promise<void>
}

/** One holder's share in a connection. */
export interface SharedLease<C extends Closeable = Connection> {
  /** The connection; the same one for every holder. */
  readonly connection: C
  /** Lets go of it. The last holder's call closes the connection and waits for that. Twice is fine. */
  readonly release: () => Promise<void>
}

/**
 * Connections that are shared by key, each with a count of its holders.
 *
 * Invariants: a key names at most one connection; its count is that of the leases not released; at zero it is
 * forgotten at once, so that whoever asks while it closes gets a new one.
 */
export class SharedConnections<C extends Closeable = Connection> {
  readonly #entries = new Map<string, { readonly connection: C; holders: number }>()

  /** How many different connections are held. */
  get size(): number {
    return this.#entries.size
  }

  /**
   * The connection of this key, made by `make` where nobody holds one.
   *
   * @param key - what `signatureOf()` gave
   */
  acquire(key: string, make: () => C): SharedLease<C> {
    const entry = this.#entries.get(key) ?? { connection: make(), holders: 0 }
    this.#entries.set(key, entry)
    entry.holders += 1
    let released: Promise<void> | undefined
    const release = () => {
      released ??= this.#release(key, entry)
      return released
    }
    return { connection: entry.connection, release }
  }

  async #release(key: string, entry: { readonly connection: C; holders: number }): Promise<void> {
    entry.holders -= 1
    if (entry.holders > 0) return
    this.#entries.delete(key)
    await entry.connection.close()
  }
}

/** New for every process: a signature tells nothing about a secret to whoever reads it, and is good in this process only. */
const SIGNATURE_KEY = randomBytes(32)

/**
 * The key by which connections are shared: equal exactly when links, and who they are for the broker, are interchangeable.
 *
 * @param adaptorSignature - what the adaptor's `signature()` gave, with the protocol
 * @param secrets - the TLS and authentication options as they were given: plain values, bytes, lists and objects.
 * The order of names does not matter, and a name with `undefined` is as good as none
 */
export function signatureOf(adaptorSignature: string, secrets: unknown): string {
  const text = JSON.stringify([adaptorSignature, canonical(secrets)])
  return createHmac('sha256', SIGNATURE_KEY).update(text).digest('hex')
}

/** A form whose JSON is equal for equal values, and only for them. */
function canonical(value: unknown): unknown {
  if (value instanceof Uint8Array) return ['bytes', Buffer.from(value).toString('base64')]
  if (Array.isArray(value)) return ['list', ...value.map(canonical)]
  if (typeof value !== 'object' || value === null) return [typeof value, String(value)]
  const named = Object.entries(value)
    .filter(([, item]) => item !== undefined)
    .map(([name, item]) => [name, canonical(item)] as const)
  return ['object', ...named.sort(([a], [b]) => (a < b ? -1 : 1))]
}
