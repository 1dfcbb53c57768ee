import assert from 'node:assert/strict'

import type { Capabilities, Deliveries, DialRequest, Link, Outcome, SubscribeOptions } from '../adaptor.ts'
import type { BackhaulError } from '../errors.ts'
import type { Message } from '../message.ts'
import { checkError } from './errors.ts'
import type { Faults, Harness, Known } from './harness.ts'
import { Reader } from './reader.ts'
import { checkDelivered, Settlements } from './settlements.ts'
import { rejection, settles, within } from './waiting.ts'

/** How much of everything a mode looks at. */
export interface Intensity {
  /** Messages in the middle of a behaviour. */
  readonly messages: number
  /** Different keys. */
  readonly keys: number
  /** How often a behaviour that depends on luck is repeated. */
  readonly rounds: number
}

/** The measures of the modes. */
export const INTENSITIES: Readonly<Record<'short' | 'normal' | 'stress' | 'outage', Intensity>> = {
  short: { messages: 20, keys: 3, rounds: 1 },
  normal: { messages: 200, keys: 8, rounds: 3 },
  stress: { messages: 5000, keys: 50, rounds: 10 },
  outage: { messages: 600, keys: 8, rounds: 3 },
}

/** A signal that never fires. */
export function neverAborted(): AbortSignal {
  return new AbortController().signal
}

/**
 * What one run of one behaviour works with: links that are closed at its end whatever happens, topics, and messages that are
 * all different.
 */
export class Scope {
  /** The harness. */
  readonly harness: Harness
  /** What links can do here. */
  readonly capabilities: Capabilities
  /** How much to look at. */
  readonly intensity: Intensity
  /** How long anything that must happen may take, in milliseconds. */
  readonly waitMs: number
  /** For how long to watch that nothing happens, in milliseconds. */
  readonly quietMs: number
  /** How long `close()` may take, in milliseconds. */
  readonly closeMs: number
  readonly #links: Link[] = []
  readonly #end = new AbortController()
  #ids = 0

  /** @param known - the harness, and what links can do */
  constructor(known: Known, intensity: Intensity) {
    const { deadlines = {} } = known.harness
    this.harness = known.harness
    this.capabilities = known.capabilities
    this.intensity = intensity
    this.waitMs = deadlines.waitMs ?? 10_000
    this.quietMs = deadlines.quietMs ?? 150
    this.closeMs = deadlines.closeMs ?? 6000
  }

  /** Fires when the behaviour is over: for loops that run beside it. */
  get ended(): AbortSignal {
    return this.#end.signal
  }

  /** A link of a new plain client, or of the one that is given. It is closed at the end. */
  async dial(client?: DialRequest<unknown>): Promise<Link> {
    const request = client ?? (await this.harness.client('plain'))
    const limit = AbortSignal.any([this.ended, AbortSignal.timeout(this.waitMs)])
    const link = await within(this.waitMs + 1000, 'dial()', this.harness.adaptor.dial(request, limit))
    return this.track(link)
  }

  /** Has a link closed at the end, or at once where the behaviour is over already. */
  track(link: Link): Link {
    if (this.ended.aborted) void link.close()
    else this.#links.push(link)
    return link
  }

  /** A fresh topic. */
  async topic(label: string): Promise<string> {
    return await this.harness.topic(label)
  }

  /** A message with a fresh id. */
  message(topic: string, rest: Partial<Message> = {}): Message {
    this.#ids += 1
    const id = `${Date.now().toString(36)}-${Math.random().toString(36).slice(2, 8)}-${this.#ids}`
    return { id, topic, payload: bytesOf(id), key: undefined, headers: undefined, ...rest }
  }

  /** So many messages with fresh ids; their payloads are their numbers from 0. */
  messages(topic: string, count: number, rest: Partial<Message> = {}): Message[] {
    return Array.from({ length: count }, (_, index) =>
      this.message(topic, { payload: bytesOf(String(index)), ...rest }),
    )
  }

  /** Hands a batch in. */
  send(link: Link, messages: readonly Message[], signal = neverAborted()): Settlements {
    const settlements = new Settlements(messages)
    link.publish(messages, settlements.settle, signal)
    return settlements
  }

  /** Hands a batch in and waits for all outcomes. */
  async publish(link: Link, messages: readonly Message[], signal = neverAborted()): Promise<Outcome[]> {
    return await this.send(link, messages, signal).all(this.waitMs)
  }

  /** Hands messages in, in batches of what may be on its way at once, and checks that all are delivered. */
  async deliver(link: Link, messages: readonly Message[]): Promise<void> {
    const size = Math.max(1, Math.min(link.capabilities.maxInFlight, 100))
    for (let from = 0; from < messages.length; from += size) {
      checkDelivered(await this.publish(link, messages.slice(from, from + size)))
    }
  }

  /** Subscribes and reads. */
  async read(
    link: Link,
    topics: string | readonly string[],
    options: Partial<SubscribeOptions> = {},
    signal = neverAborted(),
  ): Promise<Reader> {
    return this.reader(await this.subscribe(link, topics, options, signal))
  }

  /** Subscribes, with 100 in work unless told otherwise. */
  async subscribe(
    link: Link,
    topics: string | readonly string[],
    options: Partial<SubscribeOptions> = {},
    signal = neverAborted(),
  ): Promise<Deliveries> {
    const list = typeof topics === 'string' ? [topics] : topics
    const asked = link.subscribe(list, { group: undefined, maxInWork: 100, ...options }, signal)
    return await within(this.waitMs, 'subscribe()', asked)
  }

  /** Reads a stream. */
  reader(stream: Deliveries): Reader {
    return new Reader(stream, this.waitMs, this.quietMs)
  }

  /** Waits for something that must happen. */
  async within<T>(what: string, promise: Promise<T>): Promise<T> {
    return await within(this.waitMs, what, promise)
  }

  /** Closes a link; it must not take longer than `closeMs`. */
  async close(link: Link): Promise<void> {
    await within(this.closeMs, 'close()', link.close())
  }

  /** Waits for the end of a link and checks the reason. */
  async lost(link: Link, withinMs = this.waitMs): Promise<BackhaulError> {
    return this.check(await within(withinMs, 'lost', link.lost))
  }

  /** Checks that an error is one of the closed list, in its form, without secrets. */
  check(error: unknown): BackhaulError {
    return checkError(error, this.harness.secrets)
  }

  /** What a promise rejects with, checked. */
  async rejects(what: string, promise: Promise<unknown>): Promise<BackhaulError> {
    return this.check(await within(this.waitMs, `the rejection of ${what}`, rejection(what, promise)))
  }

  /** Checks that a link works: a message goes out. */
  async works(link: Link): Promise<void> {
    await this.deliver(link, [this.message(await this.topic('works'))])
  }

  /** A switch of the harness that the behaviour was declared to need. */
  fault<Name extends keyof Faults>(name: Name): NonNullable<Faults[Name]> {
    const found = this.harness.faults?.[name]
    assert.ok(found !== undefined, `the harness has no ${name}()`)
    return found
  }

  /** Ends what the behaviour has opened and switched on. Never throws. */
  async finish(): Promise<void> {
    this.#end.abort()
    const { faults } = this.harness
    await faults?.freeze?.(false)
    await faults?.delay?.(0)
    await faults?.failNext?.(0)
    await Promise.all(this.#links.map((link) => settles(this.closeMs, link.close())))
  }
}

/** Text as bytes. */
export function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

/** Bytes as text. */
export function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes)
}
