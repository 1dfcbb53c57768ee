import type {
  BackhaulError,
  Capabilities,
  Deliveries,
  Link,
  Message,
  Peer,
  Settle,
  SubscribeOptions,
  Timer,
} from '../../contract/index.ts'
import { BackhaulError as Failure } from '../../contract/index.ts'
import { deferred } from '../../kit/deferred.ts'
import { failAll } from '../shared/fail-all.ts'
import { capabilitiesOf } from './capabilities.ts'
import type { SubscriptionHost } from './consume/subscription.ts'
import { Subscription } from './consume/subscription.ts'
import { aborted, closed, linkLost } from './errors.ts'
import { Publisher } from './publish/publisher.ts'
import type { AmqpConnection } from './session/connection.ts'
import type { DialSetup } from './session/dial.ts'
import { dialConnection } from './session/dial.ts'
import { checkSubscription, hasWildcard } from './topic.ts'

/*
 * A link has a connection for what goes out, and from the first subscription on a second one for what comes in: a broker that is short of
 * memory stops reading from connections that publish, and acknowledgements would wait there, and with them commands.
 *
 * States: open, closing (what was published is still settled), ended. There is one way to end, `#end(error)`; either connection's end
 * is the link's.
 */

/** How long `close()` waits for what was published, and then for each goodbye, in milliseconds. */
const FLUSH_MS = 3500
const GOODBYE_MS = 1000

/** Dials a broker. */
export async function openLink(setup: DialSetup, signal: AbortSignal): Promise<AmqpLink> {
  // the connection may end before the link is there
  const made: { link?: AmqpLink } = {}
  const connection = await dialConnection(
    setup,
    { lost: (error) => made.link?.fail(error), drained: () => made.link?.drained() },
    signal,
  )
  made.link = new AmqpLink(setup, connection)
  await made.link.begin(signal)
  return made.link
}

/** A link to a broker of AMQP 0-9-1. */
export class AmqpLink implements Link {
  /** As far as the options hold them. */
  readonly capabilities: Capabilities
  /** Who is at the other end. */
  readonly peer: Peer
  readonly #setup: DialSetup
  readonly #sending: AmqpConnection
  readonly #publisher: Publisher
  readonly #subscriptions = new Set<Subscription>()
  readonly #lost = deferred<BackhaulError>()
  /** Gives up the dial of the second connection when the link ends. */
  readonly #over = new AbortController()
  #receiving: Promise<AmqpConnection> | undefined
  #received: AmqpConnection | undefined
  #watch: Timer | undefined
  #closing: Promise<void> | undefined
  #ended: BackhaulError | undefined

  /** Not ready yet; use {@link openLink}. */
  constructor(setup: DialSetup, connection: AmqpConnection) {
    this.#setup = setup
    this.#sending = connection
    const { clock, options } = setup
    this.#publisher = new Publisher(connection, options, {
      end: (error) => this.fail(error),
      now: () => clock.monotonic(),
    })
    this.capabilities = capabilitiesOf(options)
    this.peer = { protocol: 'AMQP 0-9-1', address: connection.address, tls: connection.tls }
  }

  /** See {@link Link.lost}. */
  get lost(): Promise<BackhaulError> {
    return this.#lost.promise
  }

  /** Checks the exchange; once. Nothing is left open when it fails. */
  async begin(signal: AbortSignal): Promise<void> {
    const onAbort = () => this.fail(aborted('dial', signal))
    signal.addEventListener('abort', onAbort, { once: true })
    if (signal.aborted) onAbort()
    try {
      await this.#publisher.begin()
      this.#look()
    } catch (error) {
      this.fail(linkLost(this.peer.address))
      throw error
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
  }

  /** The link cannot go on. */
  fail(error: BackhaulError): void {
    this.#end(error)
  }

  /** The broker or the socket takes messages again. */
  drained(): void {
    this.#publisher.pump()
  }

  /** See {@link Link.publish}. */
  publish(batch: readonly Message[], settle: Settle, signal: AbortSignal): void {
    if (batch.length === 0) return
    const error = this.#unusable() ?? (signal.aborted ? aborted('publish', signal) : undefined)
    if (error === undefined) this.#publisher.publish(batch, settle, signal)
    else failAll(batch, settle, error)
  }

  /** See {@link Link.subscribe}. */
  async subscribe(
    topics: readonly string[],
    options: SubscribeOptions,
    signal: AbortSignal,
  ): Promise<Deliveries> {
    if (topics.length === 0) {
      throw new Failure('INVALID_TOPIC', 'Cannot subscribe: no topic is named, name at least one')
    }
    for (const topic of topics) {
      checkSubscription(topic)
      if (!this.capabilities.patterns && hasWildcard(topic)) throw noPatterns(topic)
    }
    const unusable = this.#unusable()
    if (unusable !== undefined) throw linkLost(this.peer.address, unusable)
    if (signal.aborted) throw aborted('subscribe', signal)
    const gaveUp = deferred<never>()
    // after the grant nobody waits for it any more
    gaveUp.promise.catch(() => undefined)
    let subscription: Subscription | undefined
    const onAbort = () => {
      gaveUp.reject(aborted('subscribe', signal))
      void subscription?.leave()
    }
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      const connection = await Promise.race([this.#receiver(), gaveUp.promise])
      subscription = new Subscription(
        connection,
        topics,
        options,
        this.#setup.options,
        this.#host(signal, onAbort),
      )
      this.#subscriptions.add(subscription)
      await Promise.race([subscription.start(), gaveUp.promise])
      return subscription.reader
    } catch (error) {
      signal.removeEventListener('abort', onAbort)
      // what was granted is given back; nobody waits for that
      void subscription?.leave()
      throw this.#ended === undefined ? error : linkLost(this.peer.address, this.#ended)
    }
  }

  /** See {@link Link.close}. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  #host(signal: AbortSignal, onAbort: () => void): SubscriptionHost {
    return {
      clock: this.#setup.clock,
      end: (error) => this.fail(error),
      left: (subscription) => {
        this.#subscriptions.delete(subscription)
        signal.removeEventListener('abort', onAbort)
      },
    }
  }

  /** The connection for what comes in, dialled once. */
  #receiver(): Promise<AmqpConnection> {
    if (this.#receiving === undefined) {
      const watcher = { lost: (error: BackhaulError) => this.fail(error), drained: () => undefined }
      const dialled = dialConnection(this.#setup, watcher, this.#over.signal).then((connection) => {
        this.#received = connection
        if (this.#ended !== undefined) connection.drop(this.#ended)
        return connection
      })
      this.#receiving = dialled
      // whoever subscribes is told; the next one tries again
      dialled.catch(() => (this.#receiving = undefined))
    }
    return this.#receiving
  }

  #unusable(): BackhaulError | undefined {
    return this.#ended ?? (this.#closing === undefined ? undefined : closed(this.peer.address))
  }

  async #close(): Promise<void> {
    if (this.#ended === undefined) {
      for (const { reader } of this.#subscriptions) reader.end()
      const limit = deferred()
      const timer = this.#setup.clock.after(FLUSH_MS, () => limit.resolve())
      await Promise.race([this.#publisher.idle(), limit.promise, this.#lost.promise])
      timer.cancel()
    }
    if (this.#ended === undefined) {
      this.#over.abort()
      await Promise.all([this.#sending.close(GOODBYE_MS), this.#received?.close(GOODBYE_MS)])
    }
    this.#end(closed(this.peer.address))
  }

  #end(error: BackhaulError): void {
    if (this.#ended !== undefined) return
    this.#ended = error
    this.#watch?.cancel()
    this.#over.abort()
    this.#lost.resolve(error)
    for (const { reader } of this.#subscriptions) reader.end()
    this.#subscriptions.clear()
    this.#publisher.end(error)
    this.#sending.drop(error)
    this.#received?.drop(error)
  }

  /** Looks now and then whether the broker is silent for too long. */
  #look(): void {
    if (this.#ended !== undefined) return
    const { clock, options } = this.#setup
    const everyMs = Math.max(10, Math.min(options.publishTimeoutMs, 10_000) / 4)
    this.#watch = clock.after(everyMs, () => {
      this.#publisher.look(clock.monotonic())
      this.#look()
    })
  }
}

function noPatterns(topic: string): BackhaulError {
  return new Failure(
    'UNSUPPORTED',
    `Cannot subscribe to "${topic}": a direct exchange knows no patterns, name whole topics or use a topic exchange`,
  )
}
