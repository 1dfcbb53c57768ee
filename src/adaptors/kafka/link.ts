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
import { Readers } from '../shared/readers.ts'
import type { Reader, ReaderWatcher } from './consume/reader.ts'
import type { Engine } from './engine.ts'
import { aborted, closed, linkLost } from './errors.ts'
import type { KafkaOptions } from './options.ts'
import { checkSubscription } from './topic.ts'

/*
 * A link over an engine, which is one driver's way to a cluster: its publisher, and one reader for each subscription. It is open,
 * closing (what was published is still settled, and finished acknowledgements are written) or ended. There is one way to end,
 * `#end(error)`.
 */

/** How long `close()` waits for the broker, in milliseconds. */
const CLOSE_MS = 4500
/** How long it waits for connections to be gone, in milliseconds. */
const END_MS = 400

/** What Kafka can do at best. */
export const KAFKA_CAPABILITIES: Capabilities = {
  keepsOrderAfterFailure: true,
  reportsRefusals: true,
  carriesId: true,
  carriesKey: true,
  carriesHeaders: true,
  emptyPayload: true,
  subscribes: true,
  patterns: true,
  groups: true,
  durableSubscriptions: true,
  redelivers: true,
  parallelLinks: true,
  maxPayloadBytes: 100_000_000,
  maxBatchBytes: 1_000_000,
  maxInFlight: 10_000,
}

/** Makes an engine; `onLost` is to be called when its link must end. */
export type MakeEngine = (onLost: (error: BackhaulError) => void) => Engine

/** Dials the cluster. */
export async function openLink(makeEngine: MakeEngine, signal: AbortSignal): Promise<KafkaLink> {
  const link = new KafkaLink(makeEngine)
  try {
    await link.dial(signal)
    return link
  } catch (error) {
    link.abandon()
    throw error
  }
}

/** A link to a Kafka cluster. */
export class KafkaLink implements Link {
  /** As far as the options hold them. */
  readonly capabilities: Capabilities
  readonly #engine: Engine
  readonly #readers = new Readers<Reader>()
  readonly #lost = deferred<BackhaulError>()
  #watch: Timer | undefined
  #closing: Promise<void> | undefined
  #ended: BackhaulError | undefined

  /** Not dialled yet; use {@link openLink}. */
  constructor(makeEngine: MakeEngine) {
    this.#engine = makeEngine((error) => this.#end(error))
    this.capabilities = capabilitiesOf(this.#engine.options)
  }

  /** Who is at the other end. */
  get peer(): Peer {
    return this.#engine.peer
  }

  /** See {@link Link.lost}. */
  get lost(): Promise<BackhaulError> {
    return this.#lost.promise
  }

  /** Dials; once. */
  async dial(signal: AbortSignal): Promise<void> {
    await this.#engine.dial(signal)
    this.#look()
  }

  /** Gives up a link that was never handed out. */
  abandon(): void {
    this.#end(linkLost(this.#engine.options.hosts[0]?.host ?? ''))
  }

  /** See {@link Link.publish}. */
  publish(batch: readonly Message[], settle: Settle, signal: AbortSignal): void {
    if (batch.length === 0) return
    const error = this.#unusable() ?? (signal.aborted ? aborted('publish', signal) : undefined)
    if (error === undefined) this.#engine.publisher.publish(batch, settle, signal)
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
    for (const topic of topics) checkSubscription(topic)
    const unusable = this.#unusable()
    if (unusable !== undefined) throw linkLost(this.peer.address, unusable)
    if (signal.aborted) throw aborted('subscribe', signal)
    const watcher: ReaderWatcher = {
      lost: (error) => this.#end(error),
      left: (reader) => this.#readers.leave(reader),
    }
    const group = options.group ?? this.#engine.options.group
    const reader = this.#engine.reader(topics, { ...options, group }, watcher)
    await this.#readers.start(reader, signal)
    return reader.outlet
  }

  /** See {@link Link.close}. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  #unusable(): BackhaulError | undefined {
    return this.#ended ?? (this.#closing === undefined ? undefined : closed(this.peer.address))
  }

  async #close(): Promise<void> {
    if (this.#ended === undefined) {
      const { clock, publisher } = this.#engine
      const flushed = async () => {
        await this.#readers.leaveAll()
        if (!publisher.isIdle) await publisher.idle
      }
      const limit = deferred()
      const timer = clock.after(CLOSE_MS, () => limit.resolve())
      await Promise.race([flushed(), limit.promise, this.#lost.promise])
      timer.cancel()
    }
    this.#end(closed(this.peer.address))
    await this.#readers.quiet()
    const limit = deferred()
    const timer = this.#engine.clock.after(END_MS, () => limit.resolve())
    await Promise.race([this.#engine.ended, limit.promise])
    timer.cancel()
  }

  #end(error: BackhaulError): void {
    if (this.#ended !== undefined) return
    this.#ended = error
    this.#watch?.cancel()
    this.#lost.resolve(error)
    this.#readers.end(error, () => linkLost(this.peer.address, error))
    this.#engine.end(error)
  }

  /** Looks now and then whether the broker is silent for too long. */
  #look(): void {
    if (this.#ended !== undefined) return
    const { clock, options } = this.#engine
    const { keepAliveMs, requestTimeoutMs, publishTimeoutMs } = options
    const everyMs = Math.max(10, Math.min(keepAliveMs, requestTimeoutMs, publishTimeoutMs, 10_000) / 4)
    this.#watch = clock.after(everyMs, () => {
      this.#engine.look(clock.monotonic())
      this.#look()
    })
  }
}

function capabilitiesOf({ acks, maxMessageBytes }: KafkaOptions): Capabilities {
  return {
    ...KAFKA_CAPABILITIES,
    reportsRefusals: acks !== '0',
    maxPayloadBytes: maxMessageBytes,
    maxBatchBytes: Math.min(KAFKA_CAPABILITIES.maxBatchBytes, maxMessageBytes),
  }
}
