import type { Status } from '../../contract/index.ts'
import type { Client } from '../client.ts'
import type { HandlerSubscription } from '../client.ts'
import type { Library } from '../../kit/deepstream/library.ts'
import { CONSOLE } from './console.ts'

/** What the functions of the library return and tell. */
export const NvMsgBrokerStatus = { OK: 0, ERR: 1, RECONNECTING: 2, NOT_SUPPORTED: 3 } as const
/** One of {@link NvMsgBrokerStatus}. */
export type NvMsgBrokerStatus = (typeof NvMsgBrokerStatus)[keyof typeof NvMsgBrokerStatus]

/** Is told when the state of a connection changes: never of the first link. */
export type ConnectCallback = (handle: NvMsgBrokerHandle, status: NvMsgBrokerStatus) => void
/** Is told once what became of a message. */
export type SendCallback = (context: unknown, status: NvMsgBrokerStatus) => void
/** Is called for each message of a topic. With ERR the payload is the reason in words. */
export type SubscribeCallback = (
  status: NvMsgBrokerStatus,
  payload: Uint8Array,
  topic: string,
  context: unknown,
) => void

/** What a handle is made of beside its client. */
export interface HandleParts {
  /** The adaptor library. */
  readonly library: Library
  /** Whether an outage is told as RECONNECTING; else as ERR. */
  readonly autoReconnect: boolean
  /** The group that it subscribes with. */
  readonly group: string | undefined
  /** Finds the key of a message. */
  readonly keyOf: (payload: Uint8Array) => string | undefined
  /** Is told the lines of the log. */
  readonly onLog: (line: string) => void
}

interface Subscriber {
  readonly callback: SubscribeCallback
  readonly context: unknown
}

const { OK, ERR, RECONNECTING } = NvMsgBrokerStatus

/**
 * A connection of the library, the same one for all who share it.
 *
 * States: `up`; `reconnecting` from the loss of the link on (told once as RECONNECTING, or as ERR where nothing is made
 * again); `given-up` once the limit is exceeded (told once as ERR). It goes on dialling all the same: a link that comes
 * back is told as OK.
 */
export class NvMsgBrokerHandle {
  /** Called when the last holder has let go. */
  onEnd: () => void = () => undefined
  readonly #client: Client
  readonly #parts: HandleParts
  readonly #callbacks = new Set<ConnectCallback>()
  readonly #topics = new Map<string, Subscriber[]>()
  readonly #subscriptions: HandlerSubscription[] = []
  readonly #watched: Promise<void>
  #state: 'up' | 'reconnecting' | 'given-up' = 'up'
  #holders = 0

  /** Made by `connect()` over a client that is connected. */
  constructor(client: Client, parts: HandleParts) {
    this.#client = client
    this.#parts = parts
    this.#watched = this.#watch()
  }

  /** Whether the link is up. */
  get isUp(): boolean {
    return this.#state === 'up'
  }

  /** Whether anybody holds it. */
  get isHeld(): boolean {
    return this.#holders > 0
  }

  /** One holder more. */
  hold(callback: ConnectCallback | undefined): void {
    this.#holders += 1
    if (callback !== undefined) this.#callbacks.add(callback)
  }

  /** One holder less: how many are left. */
  letGo(): number {
    this.#holders -= 1
    return this.#holders
  }

  /** Sends a message; `callback` is told later, never at once. An error that it throws is the application's own. */
  send(topic: string, payload: Uint8Array, callback: SendCallback | undefined, context: unknown): void {
    void this.#sendAndTell(topic, payload, (status) => callback?.(context, status))
  }

  /** Adds a callback to each topic, and subscribes to those that nobody has. Equal ones are one. */
  async subscribe(
    topics: readonly string[],
    callback: SubscribeCallback,
    context: unknown,
  ): Promise<NvMsgBrokerStatus> {
    try {
      for (const topic of topics) await this.#subscribe(topic, { callback, context })
      return OK
    } catch {
      return ERR
    }
  }

  /** Ends it once what was sent is delivered, at most after `drainTimeoutMs`. */
  async close(drainTimeoutMs: number): Promise<void> {
    await Promise.all(this.#subscriptions.map((subscription) => subscription.unsubscribe()))
    await this.#client.close({ drainTimeoutMs })
    await this.#watched
  }

  async #subscribe(topic: string, subscriber: Subscriber): Promise<void> {
    const known = this.#topics.get(topic)
    if (known !== undefined) {
      const isKnown = known.some(
        ({ callback, context }) => callback === subscriber.callback && context === subscriber.context,
      )
      if (!isKnown) known.push(subscriber)
      return
    }
    const subscribers = [subscriber]
    this.#topics.set(topic, subscribers)
    try {
      const subscription = await this.#client.subscribe(
        topic,
        ({ payload, topic: from }) => {
          for (const { callback, context } of subscribers) callback(OK, payload, from, context)
        },
        { group: this.#parts.group },
      )
      this.#subscriptions.push(subscription)
      void this.#untilRefused(subscription, topic, subscribers)
    } catch (error) {
      this.#topics.delete(topic)
      throw error
    }
  }

  async #sendAndTell(
    topic: string,
    payload: Uint8Array,
    tell: (status: NvMsgBrokerStatus) => void,
  ): Promise<void> {
    const status = await this.#deliver(topic, payload)
    queueMicrotask(() => tell(status))
  }

  async #deliver(topic: string, payload: Uint8Array): Promise<NvMsgBrokerStatus> {
    try {
      const receipt = await this.#client.send({ topic, payload, key: this.#parts.keyOf(payload) })
      await receipt.delivered()
      return OK
    } catch {
      this.#parts.onLog(CONSOLE.sendFailed(this.#parts.library))
      return ERR
    }
  }

  /** Waits for the end of a subscription, and tells when the broker refuses it later on. */
  async #untilRefused(
    subscription: HandlerSubscription,
    topic: string,
    subscribers: readonly Subscriber[],
  ): Promise<void> {
    try {
      await subscription.done
    } catch (error) {
      const reason = Buffer.from(error instanceof Error ? error.message : String(error))
      for (const { callback, context } of subscribers) {
        queueMicrotask(() => callback(ERR, reason, topic, context))
      }
    }
  }

  async #watch(): Promise<void> {
    for await (const status of this.#client.status()) this.#take(status)
  }

  #take(status: Status): void {
    const { autoReconnect, onLog } = this.#parts
    if (status.state === 'connected') {
      if (this.#state === 'up') return
      this.#state = 'up'
      onLog(CONSOLE.reconnected())
      this.#tell(OK)
    } else if (status.state === 'lost' || status.state === 'waiting' || status.state === 'refused') {
      if (this.#state === 'up') {
        this.#state = autoReconnect ? 'reconnecting' : 'given-up'
        this.#tell(autoReconnect ? RECONNECTING : ERR)
      }
      if (status.state === 'waiting' && status.limitReached && this.#state === 'reconnecting') {
        this.#state = 'given-up'
        onLog(CONSOLE.givenUp())
        this.#tell(ERR)
      }
    }
  }

  #tell(status: NvMsgBrokerStatus): void {
    for (const callback of this.#callbacks) queueMicrotask(() => callback(this, status))
  }
}
