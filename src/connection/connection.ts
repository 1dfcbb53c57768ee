import type {
  Adaptor,
  Clock,
  CredentialsSource,
  Message,
  Outcome,
  Settle,
  Status,
} from '../contract/index.ts'
import { BackhaulError } from '../contract/index.ts'
import { systemClock } from '../kit/system-clock.ts'
import { StatusBoard } from './status-board.ts'
import type { Subscription, SubscriptionOptions } from './subscription.ts'
import { Subscriptions } from './subscriptions.ts'
import { FIRST_STATUS, Supervisor } from './supervisor.ts'

/** How a connection is made. */
export interface ConnectionOptions<O = unknown> {
  /** The protocol. */
  readonly adaptor: Adaptor<O>
  /** What the adaptor's `options()` gave. */
  readonly options: O
  /** Makes the credentials; called at every dial. */
  readonly credentials: CredentialsSource
  /** What diagnostics call the connection. @default the protocol */
  readonly name?: string | undefined
  /** Where time comes from. @default the machine's own */
  readonly clock?: Clock | undefined
  /** Dice from 0 to 1 for the backoff. @default Math.random */
  readonly random?: (() => number) | undefined
  /** Ceilings of the pauses between dials in an outage, in milliseconds; after a failed dial a pause is at most 1 s or a twentieth of the outage. @default from 250 to 30 000 */
  readonly backoff?: { readonly minMs: number; readonly maxMs: number } | undefined
  /** The pause after a refusal of credentials or settings, in milliseconds. @default 60 000 */
  readonly refusedRetryMs?: number | undefined
  /** How long one dial may take, in milliseconds. @default 10 000 */
  readonly dialTimeoutMs?: number | undefined
  /** After so many failed dials in a row the status says `limitReached`; dialling goes on all the same. @default never */
  readonly maxRetries?: number | undefined
}

/**
 * A connection that heals by itself: it dials, watches the link, dials again for ever, and keeps subscriptions over all
 * links. It never sends a message again.
 *
 * `connected` is said as soon as the broker accepted the credentials. Subscriptions are sent on the new link before that,
 * and so before everything that is published on it; their grants are not waited for, since a broker that is slow to grant
 * one topic must not hold up what goes out.
 */
export class Connection<O = unknown> {
  readonly #board: StatusBoard
  readonly #supervisor: Supervisor<O>
  readonly #subscriptions: Subscriptions
  #closing: Promise<void> | undefined

  /** Nothing is dialled before `open()`. */
  constructor(options: ConnectionOptions<O>) {
    const { adaptor, clock = systemClock, random = Math.random, name = adaptor.protocol } = options
    const board = new StatusBoard(name, FIRST_STATUS)
    const subscriptions = new Subscriptions({ adaptor, clock, random })
    this.#board = board
    this.#subscriptions = subscriptions
    this.#supervisor = new Supervisor({
      adaptor,
      options: options.options,
      credentials: options.credentials,
      clock,
      random,
      backoff: options.backoff ?? { minMs: 250, maxMs: 30_000 },
      refusedRetryMs: options.refusedRetryMs ?? 60_000,
      dialTimeoutMs: options.dialTimeoutMs ?? 10_000,
      maxRetries: options.maxRetries,
      onStatus: (status) => board.set(status),
      onLink: (link) => subscriptions.linkUp(link),
      onLinkGone: () => subscriptions.linkDown(),
    })
  }

  /** Where it stands. Before `open()`: at the first dial. */
  get current(): Status {
    return this.#board.current
  }

  /** Starts dialling, and never gives up. Twice is fine; after `close()` it does nothing. */
  open(): void {
    this.#supervisor.open()
  }

  /**
   * Dials at once instead of at the next try: for when credentials or settings changed. A link that is up stays.
   */
  retryNow(): void {
    this.#supervisor.retryNow()
  }

  /**
   * The current status, then every change. Ends after `closed`, when it is returned, and when `signal` aborts. A reader
   * that is more than 64 changes behind loses the oldest of them.
   */
  status(signal?: AbortSignal): AsyncIterableIterator<Status, undefined> {
    return this.#board.read(signal)
  }

  /**
   * Calls `listener` with the current status at once, and with each later one as it happens, until the function that is
   * returned is called. It must not throw: an error surfaces as an uncaught exception.
   */
  onStatus(listener: (status: Status) => void): () => void {
    return this.#board.listen(listener)
  }

  /** As a link's `publish()`. Without a link every message fails, with `LINK_LOST`, or `CLOSED` after `close()`. */
  publish(batch: readonly Message[], settle: Settle, signal: AbortSignal): void {
    const { link } = this.#supervisor
    if (link === undefined) {
      const outcome = this.#noLink()
      for (let index = 0; index < batch.length; index += 1) settle(index, outcome)
      return
    }
    link.publish(batch, settle, signal)
  }

  /**
   * Subscribes to topics on this and every later link. Fulfils once the broker has granted them, and waits for a link
   * for that. Subscribers of the same topics and group share one subscription at the broker, and each gets every
   * delivery that arrives from then on (so what the broker keeps for new subscriptions comes to the first one only).
   *
   * The broker's acknowledgement follows when all of them are done with a message. Ends by `signal`, too.
   *
   * @throws BackhaulError `NOT_AUTHORIZED`, `REFUSED`, `INVALID_TOPIC`, `UNSUPPORTED`, `CLOSED`, `ABORTED`.
   */
  subscribe(
    topics: readonly string[],
    options: SubscriptionOptions = {},
    signal?: AbortSignal,
  ): Promise<Subscription> {
    return this.#subscriptions.add(topics, options, signal)
  }

  /**
   * Ends the connection, also in the middle of a dial or a pause: status `closed`, subscriptions end, the link is closed
   * as its contract says (what was published is settled, acknowledgements are written), no timer or socket is left.
   * Subscriptions are not ended at the broker: durable ones wait there for the next process. Twice is fine.
   */
  close(): Promise<void> {
    if (this.#closing === undefined) {
      this.#subscriptions.close()
      this.#closing = this.#supervisor.close()
    }
    return this.#closing
  }

  #noLink(): Outcome {
    const error =
      this.#closing === undefined
        ? new BackhaulError(
            'LINK_LOST',
            'Cannot publish: there is no link to the broker, it is dialled again',
          )
        : new BackhaulError('CLOSED', 'Cannot publish: the connection was closed, open a new one')
    return { kind: 'failed', error }
  }
}
