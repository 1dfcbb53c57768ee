import type { Account, Delivery, Message, OutboundMessage, Receipt, Status } from '../contract/index.ts'
import { BackhaulError } from '../contract/index.ts'
import type { Connection, Subscription, SubscriptionOptions } from '../connection/index.ts'
import { consume } from '../connection/index.ts'
import type { DeadLetter, LogStore, ParkedTopic, Pump } from '../outbox/index.ts'
import { systemClock } from '../kit/system-clock.ts'
import { checkSendOptions, checkSubscribeOptions } from './check-options.ts'
import { sendDeadLetters } from './dead-letter-topic.ts'
import type { SendOptions } from './sending.ts'
import { deliver, store } from './sending.ts'

/** How a subscription is made. */
export interface SubscribeOptions extends SubscriptionOptions {
  /** Ends the subscription. */
  readonly signal?: AbortSignal | undefined
  /**
   * Topic that takes what was given back `maxDeliveries` times, with payload, key, headers and id as they came, and the headers
   * `backhaul-dead-letter-topic` and `backhaul-dead-letter-reason`. @default none: it counts as done
   */
  readonly deadLetterTopic?: string | undefined
}

/** How a handler is called. */
export interface HandlerOptions extends SubscribeOptions {
  /** How many calls may run at once. With 1 they run in order of arrival. @default 1 */
  readonly concurrency?: number | undefined
}

/** A subscription whose deliveries go to a handler. */
export interface HandlerSubscription extends AsyncDisposable {
  /** See {@link Subscription.lag}. */
  readonly lag: number | undefined
  /** Resolves when the subscription has ended; rejects when the broker refuses it later on. */
  readonly done: Promise<void>
  /**
   * Calls the handler no more, and resolves once the running calls are done. The broker is told nothing: where the session
   * lasts (MQTT: `sessionExpirySeconds`), it keeps the subscription and what was not handled for the next connection. Close
   * the client then.
   */
  stop(): Promise<void>
  /** Ends the subscription once the running calls are done. */
  unsubscribe(): Promise<void>
}

/** How an outbox is, beside its account. */
export interface OutboxStatus {
  /** Whether what it holds survives the process. */
  readonly durable: boolean
  /** Why its disk takes nothing now: it goes on by itself when it can. */
  readonly problem: BackhaulError | undefined
  /** Bytes in its files. */
  readonly diskBytes: number
  /** The topics that the broker refuses for now. */
  readonly parkedTopics: readonly ParkedTopic[]
  /** The latest messages that the broker refused for good. */
  readonly deadLetters: readonly DeadLetter[]
}

/** Takes one delivery: returning acknowledges it, throwing gives it back for later. */
export type Handler = (delivery: Delivery) => void | Promise<void>

const NO_OPTIONS: SendOptions = {}

/** What a client is made of. */
export interface ClientParts {
  /** The connection, perhaps shared. */
  readonly connection: Connection
  /** Lets go of the connection. */
  readonly release: () => Promise<void>
  /** This client's own pump. */
  readonly pump: Pump
  /** Ends the wiring between the two. */
  readonly unwire: () => void
  /** Checks and completes what the application hands over. */
  readonly outgoing: (message: OutboundMessage, maxPayloadBytes: number) => Message
  /** The largest payload in bytes that is taken now. */
  readonly maxPayloadBytes: () => number
  /** Checks a topic's syntax. */
  readonly checkTopic: (topic: string, use: 'publish' | 'subscribe') => void
  /** Whether `send()` is done when the pump holds the message. */
  readonly stores: boolean
  /** The durable outbox, where there is one. */
  readonly log: LogStore | undefined
  /** The age limit of messages that have none of their own, in milliseconds. */
  readonly maxAgeMs: number | undefined
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** Sentences for whoever wrote the options. */
  readonly notes: readonly string[]
}

/**
 * A connection to one broker, for any number of components of an application: what `connect()` gives.
 *
 * It heals by itself and never gives up. Close it when done; closing waits for what is on its way.
 */
export class Client implements AsyncDisposable {
  readonly #parts: ClientParts
  /** The subscriptions that call handlers, each with the promise of its end. */
  readonly #handled = new Map<Subscription, Promise<void>>()
  /** Aborted at the end, so that of a connection that others share our subscriptions go. */
  readonly #end = new AbortController()
  #closing: Promise<void> | undefined
  #closed = false

  /** Use `connect()`. */
  constructor(parts: ClientParts) {
    this.#parts = parts
  }

  /** Sentences for whoever wrote the options: what has no effect, and the like. */
  get notes(): readonly string[] {
    return this.#parts.notes
  }

  /** Where the connection stands now. */
  get current(): Status {
    return this.#parts.connection.current
  }

  /** Where every accepted message of this client is. */
  get account(): Account {
    return this.#parts.pump.account
  }

  /** How the outbox is; `undefined` where none was named. */
  get outbox(): OutboxStatus | undefined {
    const { pump, stores, log } = this.#parts
    if (!stores) return undefined
    return {
      durable: log !== undefined,
      problem: log?.problem,
      diskBytes: log?.diskBytes ?? 0,
      parkedTopics: pump.parkedTopics,
      deadLetters: pump.deadLetters,
    }
  }

  /** Every change of the connection's state, beginning with the current one. Ends with `closed`. */
  status(signal?: AbortSignal): AsyncIterableIterator<Status> {
    return this.#parts.connection.status(signal)
  }

  /**
   * Sends a message. Resolves when it is safe: held by the outbox where one was named, else acknowledged by the broker.
   *
   * Order is kept among messages of one topic with the same key, and among those without one, in the order of the calls.
   *
   * @throws BackhaulError `INVALID_TOPIC`, `INVALID_MESSAGE`, `INVALID_OPTIONS`, `MESSAGE_TOO_LARGE` before anything is accepted;
   * `NOT_AUTHORIZED`, `REFUSED` by the broker; `OUTBOX_FULL`, `EXPIRED`, `CLOSED`; `TIMEOUT` when the deadline passed
   * before it went out, `DELIVERY_UNKNOWN` when it passed afterwards.
   */
  send(message: OutboundMessage, options: SendOptions = NO_OPTIONS): Promise<Receipt> {
    // not `async`: that would make another promise for each message
    try {
      if (options !== NO_OPTIONS) checkSendOptions(options)
      return this.#send(this.#check(message), options)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /**
   * Sends many messages in their order. All are checked before the first is accepted. Resolves when all are safe.
   *
   * @throws BackhaulError as `send()`; the first that fails. The others go on: give ids to tell them apart.
   */
  async sendMany(messages: readonly OutboundMessage[], options: SendOptions = {}): Promise<Receipt[]> {
    checkSendOptions(options)
    const checked = messages.map((message) => this.#check(message))
    return Promise.all(checked.map((message) => this.#send(message, options)))
  }

  /**
   * Subscribes to topics, which may be patterns. Resolves once the broker has granted them; they are made again after
   * every reconnect. Each delivery stays the broker's until its `ack()`.
   *
   * @throws BackhaulError `INVALID_TOPIC`, `INVALID_OPTIONS`, `NOT_AUTHORIZED`, `UNSUPPORTED`, `CLOSED`, `ABORTED`.
   */
  subscribe(topics: string | readonly string[], options?: SubscribeOptions): Promise<Subscription>
  subscribe(
    topics: string | readonly string[],
    handler: Handler,
    options?: HandlerOptions,
  ): Promise<HandlerSubscription>
  async subscribe(
    topics: string | readonly string[],
    handlerOrOptions: Handler | SubscribeOptions = {},
    handlerOptions: HandlerOptions = {},
  ): Promise<Subscription | HandlerSubscription> {
    if (typeof handlerOrOptions !== 'function') {
      checkSubscribeOptions(handlerOrOptions)
      return this.#subscribe(topics, handlerOrOptions)
    }
    checkSubscribeOptions(handlerOptions)
    const subscription = await this.#subscribe(topics, handlerOptions)
    return this.#handle(subscription, handlerOrOptions, handlerOptions)
  }

  /**
   * Waits until nothing that this client accepted is pending. What is sent meanwhile is waited for too.
   *
   * @throws BackhaulError `ABORTED` when the signal aborts first; `CLOSED`.
   */
  drain(signal: AbortSignal): Promise<void> {
    return this.#parts.pump.drain(signal)
  }

  /**
   * Hands nothing more to subscribers, waits for running handlers and for what was accepted to be delivered, at most
   * `drainTimeoutMs` milliseconds (`Infinity`: as long as it takes), then ends the connection, or lets go of a shared
   * one. What is still pending then is dropped with reason `closed`, and counted; in a durable outbox it stays. Until the handlers are done they can
   * send. Twice is fine.
   */
  close({ drainTimeoutMs = 5000 }: { readonly drainTimeoutMs?: number } = {}): Promise<void> {
    this.#closing ??= this.#close(drainTimeoutMs)
    return this.#closing
  }

  /** As `close()`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #check(message: OutboundMessage): Message {
    if (this.#closed) throw closedError('send')
    return this.#parts.outgoing(message, this.#parts.maxPayloadBytes())
  }

  #send(message: Message, given: SendOptions): Promise<Receipt> {
    const { pump, stores, now, maxAgeMs } = this.#parts
    const needsAge = maxAgeMs !== undefined && given.expiresAfterMs === undefined
    const options = needsAge ? { ...given, expiresAfterMs: maxAgeMs } : given
    return stores ? store(pump, message, options, now) : deliver(pump, message, options, now)
  }

  async #subscribe(topics: string | readonly string[], options: SubscribeOptions): Promise<Subscription> {
    if (this.#closing !== undefined) throw closedError('subscribe')
    const list = typeof topics === 'string' ? [topics] : topics
    const { checkTopic, connection, log } = this.#parts
    for (const topic of list) checkTopic(topic, 'subscribe')
    const { signal, deadLetterTopic, ...rest } = options
    const end = signal === undefined ? this.#end.signal : AbortSignal.any([signal, this.#end.signal])
    if (deadLetterTopic === undefined) return connection.subscribe(list, rest, end)
    checkTopic(deadLetterTopic, 'publish')
    const send = (message: OutboundMessage) => this.send(message)
    const onGaveUp = sendDeadLetters(deadLetterTopic, send, log !== undefined, rest.onGaveUp)
    return connection.subscribe(list, { ...rest, onGaveUp }, end)
  }

  #handle(
    subscription: Subscription,
    handler: Handler,
    { concurrency = 1 }: HandlerOptions,
  ): HandlerSubscription {
    const done = consume(subscription, handler, { concurrency })
    // an error is told to whoever awaits `done`; nobody has to
    const ended = done.catch(() => undefined).finally(() => this.#handled.delete(subscription))
    this.#handled.set(subscription, ended)
    const stop = () => {
      subscription.stop()
      return ended
    }
    const unsubscribe = async () => {
      await stop()
      await subscription.unsubscribe()
    }
    return {
      get lag() {
        return subscription.lag
      },
      done,
      stop,
      unsubscribe,
      [Symbol.asyncDispose]: unsubscribe,
    }
  }

  async #close(drainTimeoutMs: number): Promise<void> {
    const { pump, unwire, release } = this.#parts
    const limit = new AbortController()
    const timer = systemClock.after(drainTimeoutMs, () => limit.abort())
    for (const subscription of this.#handled.keys()) subscription.stop()
    await Promise.race([Promise.all(this.#handled.values()), once(limit.signal)])
    this.#closed = true
    await pump.drain(limit.signal).catch(() => undefined)
    timer.cancel()
    await pump.close()
    unwire()
    await release()
    this.#end.abort()
  }
}

function once(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}

function closedError(what: string): BackhaulError {
  return new BackhaulError('CLOSED', `Cannot ${what}: the connection was closed, open a new one`)
}
