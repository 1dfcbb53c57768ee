import type {
  BackhaulError,
  Capabilities,
  Deliveries,
  Link,
  Message,
  Outcome,
  Peer,
  Settle,
  SubscribeOptions,
  Timer,
} from '../../../contract/index.ts'
import { BackhaulError as Failure } from '../../../contract/index.ts'
import { deferred } from '../../../kit/deferred.ts'
import { Readers } from '../../shared/readers.ts'
import type { ClusterSetup } from './cluster.ts'
import { Cluster } from './cluster.ts'
import { aborted, closed, linkLost } from '../errors.ts'
import { GroupReader } from '../consume/group-reader.ts'
import type { KafkaOptions } from '../options.ts'
import { Producer } from '../produce/producer.ts'
import type { Reader, ReaderWatcher } from '../consume/reader.ts'
import { FreeReader } from '../consume/reader.ts'
import { checkSubscription } from '../topic.ts'

/*
 * A link joins its parts: the cluster's connections, the producer, and one reader for each subscription. It is open, closing (what was
 * published is still settled, and finished acknowledgements are written) or ended. There is one way to end, `#end(error)`.
 */

/** How long `close()` waits for the broker, in milliseconds. */
const CLOSE_MS = 4500

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

/** Dials the cluster. */
export async function openLink(setup: ClusterSetup, signal: AbortSignal): Promise<KafkaLink> {
  const link = new KafkaLink(setup)
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
  readonly #cluster: Cluster
  readonly #producer: Producer
  readonly #readers = new Readers<Reader>()
  readonly #lost = deferred<BackhaulError>()
  #watch: Timer | undefined
  #closing: Promise<void> | undefined
  #ended: BackhaulError | undefined

  /** Not dialled yet; use {@link openLink}. */
  constructor(setup: ClusterSetup) {
    const onLost = (error: BackhaulError) => this.#end(error)
    this.#cluster = new Cluster(setup, onLost)
    this.#producer = new Producer(this.#cluster, onLost)
    this.capabilities = capabilitiesOf(setup.options)
  }

  /** Who is at the other end. */
  get peer(): Peer {
    const { address, tls } = this.#cluster.first
    return { protocol: 'Kafka', address, tls }
  }

  /** See {@link Link.lost}. */
  get lost(): Promise<BackhaulError> {
    return this.#lost.promise
  }

  /** Dials; once. */
  async dial(signal: AbortSignal): Promise<void> {
    await this.#cluster.dial(signal)
    this.#look()
  }

  /** Gives up a link that was never handed out. */
  abandon(): void {
    this.#end(linkLost(this.#cluster.options.hosts[0]?.host ?? ''))
  }

  /** See {@link Link.publish}. */
  publish(batch: readonly Message[], settle: Settle, signal: AbortSignal): void {
    if (batch.length === 0) return
    const error = this.#unusable() ?? (signal.aborted ? aborted('publish', signal) : undefined)
    if (error === undefined) {
      this.#producer.publish(batch, settle, signal)
      return
    }
    const failed: Outcome = { kind: 'failed', error }
    setImmediate(() => {
      for (const index of batch.keys()) settle(index, failed)
    })
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
    if (unusable !== undefined) throw linkLost(this.#cluster.first.address, unusable)
    if (signal.aborted) throw aborted('subscribe', signal)
    const watcher: ReaderWatcher = {
      lost: (error) => this.#end(error),
      left: (reader) => this.#readers.leave(reader),
    }
    const reader =
      options.group === undefined
        ? new FreeReader(this.#cluster, topics, options, watcher)
        : new GroupReader(this.#cluster, options.group, topics, options, watcher)
    await this.#readers.start(reader, signal)
    return reader.outlet
  }

  /** See {@link Link.close}. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  #unusable(): BackhaulError | undefined {
    return this.#ended ?? (this.#closing === undefined ? undefined : closed(this.#cluster.first.address))
  }

  async #close(): Promise<void> {
    if (this.#ended === undefined) {
      const { clock } = this.#cluster
      const flushed = async () => {
        await this.#readers.leaveAll()
        if (!this.#producer.isIdle) await this.#producer.idle
      }
      const limit = deferred()
      const timer = clock.after(CLOSE_MS, () => limit.resolve())
      await Promise.race([flushed(), limit.promise, this.#lost.promise])
      timer.cancel()
    }
    this.#end(closed(this.#cluster.first.address))
    await this.#readers.quiet()
  }

  #end(error: BackhaulError): void {
    if (this.#ended !== undefined) return
    this.#ended = error
    this.#watch?.cancel()
    this.#lost.resolve(error)
    this.#readers.end(error, () => linkLost(this.#cluster.first.address, error))
    this.#cluster.close(error)
    this.#producer.end(error)
  }

  /** Looks now and then whether the broker is silent for too long. */
  #look(): void {
    if (this.#ended !== undefined) return
    const { clock, options } = this.#cluster
    const { keepAliveMs, requestTimeoutMs, publishTimeoutMs } = options
    const everyMs = Math.max(10, Math.min(keepAliveMs, requestTimeoutMs, publishTimeoutMs, 10_000) / 4)
    this.#watch = clock.after(everyMs, () => {
      const now = clock.monotonic()
      this.#cluster.look(now)
      this.#producer.look(now)
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
