import { Readable, Writable } from 'node:stream'
import { callbackify } from 'node:util'

import type { Delivery, OutboundMessage, Priority } from '../contract/index.ts'
import { BackhaulError } from '../contract/index.ts'
import type { Subscription } from '../connection/index.ts'
import type { Client, SubscribeOptions } from './client.ts'
import { checkReadStreamOptions, checkWriteStreamOptions } from './check-options.ts'
import type { ConnectOptions } from './connect.ts'
import { connect } from './connect.ts'

/*
 * Node's own streams over a client, for pipelines.
 *
 * A stream that is given a client uses it and leaves it open. One that is given an address opens a connection of its own
 * (or shares one: `connect: { share: true }`) and closes it when it ends or is destroyed. `ready` tells that it is connected,
 * or subscribed, as it does for files.
 */

/** How a stream connects, where it is given an address. */
interface StreamOptions {
  /** The options of the connection that an address opens; a client is open, and needs none. */
  readonly connect?: ConnectOptions | undefined
}

/** What is written to the stream: a payload, or a message with what the stream's options leave open. */
export type StreamMessage = string | Uint8Array | StreamedMessage

/** A message as an object. */
export interface StreamedMessage extends Omit<OutboundMessage, 'topic'> {
  /** Where it goes. @default the stream's topic */
  readonly topic?: string | undefined
  /** Which component it comes from: a stream for one component passes the others over. */
  readonly componentId?: number | undefined
}

/** How a stream sends. */
export interface WriteStreamOptions extends StreamOptions {
  /** Where messages without a topic go. */
  readonly topic?: string | undefined
  /** The key of messages without one. */
  readonly key?: string | undefined
  /** Their class of traffic. @default 'telemetry' */
  readonly priority?: Priority | undefined
  /**
   * Only messages of this component are sent; all others are passed over and counted in `skipped`. 0: all, as the `comp-id`
   * of DeepStream's sink element. @default 0
   */
  readonly componentId?: number | undefined
  /** How many messages may wait to be safe before the stream says that it is full. @default 1000 */
  readonly maxInFlight?: number | undefined
}

/** How a stream receives. */
export interface ReadStreamOptions extends StreamOptions, Omit<SubscribeOptions, 'signal'> {
  /** Acknowledge each delivery when it is read, in place of its own `ack()`: what the reader then loses is lost. @default false */
  readonly acknowledgeOnRead?: boolean | undefined
}

class MessageWriteStream extends Writable {
  readonly #target: Client | string
  readonly #options: WriteStreamOptions
  readonly #maxInFlight: number
  #client: Client | undefined
  #underWay = 0
  #skipped = 0
  /** Called at each message that is safe, while somebody waits for it. */
  #onSafe: (() => void) | undefined

  constructor(target: Client | string, options: WriteStreamOptions) {
    super({ objectMode: true, emitClose: true })
    this.#target = target
    this.#options = options
    this.#maxInFlight = options.maxInFlight ?? 1000
  }

  /** How many messages of other components were passed over. */
  get skipped(): number {
    return this.#skipped
  }

  override _construct(done: (error?: Error | null) => void): void {
    callbackify(() => this.#open())(done)
  }

  override _write(chunk: unknown, _encoding: string, done: (error?: Error | null) => void): void {
    const { topic, key, priority, componentId = 0 } = this.#options
    const given = streamed(chunk)
    if (given === undefined) {
      return done(invalid('it is neither text nor bytes nor an object with a "payload"'))
    }
    if (componentId !== 0 && given.componentId !== componentId) {
      this.#skipped += 1
      return done()
    }
    const to = given.topic ?? topic
    if (to === undefined) return done(invalid('neither it nor the stream has a topic, name one'))
    const { payload, headers, id } = given
    this.#underWay += 1
    this.#client?.send({ topic: to, payload, key: given.key ?? key, headers, id }, { priority }).then(
      () => this.#safe(),
      (error: Error) => this.destroy(error),
    )
    this.#until(() => this.#underWay < this.#maxInFlight, done)
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#until(() => this.#underWay === 0, done)
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    callbackify(() => closeClient(this.#target, this.#client))((failed) => done(error ?? failed))
  }

  async #open(): Promise<void> {
    checkWriteStreamOptions(this.#options)
    this.#client = await openClient(this.#target, this.#options)
    tellReady(this)
  }

  #safe(): void {
    this.#underWay -= 1
    this.#onSafe?.()
  }

  /** Calls back at once where the condition holds, else after the message that makes it hold. */
  #until(holds: () => boolean, done: () => void): void {
    if (holds()) return done()
    this.#onSafe = () => {
      if (!holds()) return
      this.#onSafe = undefined
      done()
    }
  }
}

class MessageReadStream extends Readable {
  readonly #target: Client | string
  readonly #topics: string | readonly string[]
  readonly #options: ReadStreamOptions
  #client: Client | undefined
  #subscription: Subscription | undefined

  constructor(target: Client | string, topics: string | readonly string[], options: ReadStreamOptions) {
    // the subscription has the queue: here is only what is read next
    super({ objectMode: true, highWaterMark: 1 })
    this.#target = target
    this.#topics = topics
    this.#options = options
  }

  override _construct(done: (error?: Error | null) => void): void {
    callbackify(() => this.#subscribe())(done)
  }

  override _read(): void {
    this.#subscription?.next().then(
      ({ value: delivery, done }) => {
        if (done === true) return this.push(null)
        if (this.#options.acknowledgeOnRead === true) delivery.ack()
        return this.push(delivery)
      },
      (error: Error) => this.destroy(error),
    )
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    callbackify(() => this.#leave())((failed) => done(error ?? failed))
  }

  async #subscribe(): Promise<void> {
    checkReadStreamOptions(this.#options)
    const { connect: _connect, acknowledgeOnRead: _acknowledgeOnRead, ...options } = this.#options
    this.#client = await openClient(this.#target, this.#options)
    this.#subscription = await this.#client.subscribe(this.#topics, options)
    tellReady(this)
  }

  async #leave(): Promise<void> {
    // a lasting session of the stream's own keeps the subscription at the broker, as when an application closes
    if (typeof this.#target === 'string') this.#subscription?.stop()
    else await this.#subscription?.unsubscribe()
    await closeClient(this.#target, this.#client)
  }
}

/**
 * A stream whose messages go to a broker: each is handed to `send()` in the order of writing, many at once. `finish` means
 * that all are safe. The first that cannot be sent destroys the stream with its error.
 *
 * It takes payloads (text or bytes) and objects `{ payload, topic?, key?, headers?, id?, componentId? }`. This is the part that
 * the sink element plays in a DeepStream pipeline (Gst-nvmsgbroker: `topic`, `comp-id`).
 *
 * @param target - a client, which stays open, or an address, whose connection the stream opens and closes
 * @throws BackhaulError never by itself: all errors of `connect()` and `send()` come as the stream's `error`
 */
export function createWriteStream(
  target: Client | string,
  options: WriteStreamOptions = {},
): Writable & { readonly skipped: number } {
  return new MessageWriteStream(target, options)
}

/**
 * A stream of the deliveries of some topics, over every reconnect. Each stays the broker's until its `ack()`: a reader that
 * finishes none gets `maxInWork` of them and no more. Destroying it leaves; what is unfinished comes again to whoever
 * subscribes next.
 *
 * @param target - a client, which stays open, or an address, whose connection the stream opens and closes
 * @throws BackhaulError never by itself: all errors of `connect()` and `subscribe()` come as the stream's `error`
 */
export function createReadStream(
  target: Client | string,
  topics: string | readonly string[],
  options: ReadStreamOptions = {},
): Readable & AsyncIterable<Delivery> {
  return new MessageReadStream(target, topics, options)
}

/** Says `ready` once Node takes the stream for constructed. */
function tellReady(stream: Readable | Writable): void {
  setImmediate(() => stream.emit('ready'))
}

async function openClient(target: Client | string, options: StreamOptions): Promise<Client> {
  return typeof target === 'string' ? connect(target, options.connect) : target
}

/** What is pending at the end was given up by whoever destroyed the stream; a durable outbox keeps it. */
async function closeClient(target: Client | string, client: Client | undefined): Promise<void> {
  if (typeof target === 'string') await client?.close({ drainTimeoutMs: 0 })
}

function streamed(chunk: unknown): StreamedMessage | undefined {
  if (typeof chunk === 'string' || chunk instanceof Uint8Array) return { payload: chunk }
  return isStreamed(chunk) ? chunk : undefined
}

function isStreamed(chunk: unknown): chunk is StreamedMessage {
  return typeof chunk === 'object' && chunk !== null && 'payload' in chunk
}

function invalid(why: string): BackhaulError {
  return new BackhaulError('INVALID_MESSAGE', `Cannot send what was written to the stream: ${why}`)
}
