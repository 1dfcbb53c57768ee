import { setTimeout as sleep } from 'node:timers/promises'

import type { Client } from '../../src/client/index.ts'
import type { Priority } from '../../src/contract/index.ts'

/** What is sent. */
export interface LoadOptions {
  /** Where to. */
  readonly topic: string
  /** Messages a second. */
  readonly ratePerSecond: number
  /** Payload bytes. @default 200 */
  readonly bytes?: number
  /** Over how many keys, in turn. @default 10 */
  readonly keys?: number
  /** The number of the first one. @default 0 */
  readonly first?: number
  /** The class of all. @default 'telemetry' */
  readonly priority?: Priority
  /** Is told of each message that was accepted. */
  readonly onAccepted?: (sent: Sent) => void
}

/** A message that `send()` accepted. */
export interface Sent {
  /** Its number: they count up in the order of sending. */
  readonly n: number
  /** Its key. */
  readonly key: string
  /** The id of its receipt. */
  readonly id: string
  /** When it was handed over, in milliseconds since 1970. */
  readonly atMs: number
  /** How long `send()` took, in milliseconds. */
  readonly acceptedAfterMs: number
}

/** The longest that the sender sleeps: it wakes for each message at low rates, and for some at once at high ones. */
const TICK_MS = 5

/** An application that sends numbered messages at a steady rate, whatever becomes of them, until it is stopped. */
export class Load implements Disposable {
  /** What was accepted, in the order of acceptance. */
  readonly sent: Sent[] = []
  /** What `send()` threw. */
  readonly errors: unknown[] = []
  readonly #client: Client
  readonly #options: LoadOptions
  readonly #sending: Promise<void>
  readonly #open = new Set<Promise<void>>()
  #next: number
  #stopped = false

  /** Starts at once. */
  constructor(client: Client, options: LoadOptions) {
    this.#client = client
    this.#options = options
    this.#next = options.first ?? 0
    this.#sending = this.#run()
  }

  /** The number that the next one would have. */
  get next(): number {
    return this.#next
  }

  /** How many were accepted. */
  get accepted(): number {
    return this.sent.length
  }

  /** Resolves when so many were accepted, counted from now. */
  async more(count: number): Promise<void> {
    const goal = this.accepted + count
    while (this.accepted < goal && this.errors.length === 0) await sleep(TICK_MS)
  }

  /** Sends nothing more; resolves when every `send()` has ended. */
  async stop(): Promise<void> {
    this.#stopped = true
    await this.#sending
    await Promise.all(this.#open)
  }

  /** Sends nothing more, and waits for nothing. */
  [Symbol.dispose](): void {
    this.#stopped = true
  }

  async #run(): Promise<void> {
    const startMs = performance.now()
    const first = this.#next
    while (!this.#stopped) {
      const due = first + ((performance.now() - startMs) * this.#options.ratePerSecond) / 1000
      for (; this.#next < due; this.#next += 1) this.#send(this.#next)
      await sleep(Math.min(TICK_MS, 1000 / this.#options.ratePerSecond))
    }
  }

  #send(n: number): void {
    const { topic, bytes = 200, keys = 10, priority } = this.#options
    const key = `key-${n % keys}`
    const atMs = Date.now()
    const startMs = performance.now()
    const payload = `${n} ${key} ${atMs} `.padEnd(bytes, '.')
    const options = priority === undefined ? {} : { priority }
    const sending = this.#client.send({ topic, key, payload }, options).then(
      ({ id }) => {
        const sent = { n, key, id, atMs, acceptedAfterMs: performance.now() - startMs }
        this.sent.push(sent)
        this.#options.onAccepted?.(sent)
      },
      (error: unknown) => {
        this.errors.push(error)
      },
    )
    this.#open.add(sending)
    void sending.finally(() => this.#open.delete(sending))
  }
}
