import type { BackhaulError, SubscribeOptions } from '../../../contract/index.ts'
import { BackhaulError as Failure } from '../../../contract/index.ts'
import type { LinkReader } from '../../shared/readers.ts'
import { leftError } from '../../shared/readers.ts'
import { AssignedPartition } from './assigned-partition.ts'
import type { Cluster } from '../session/cluster.ts'
import { violation } from '../errors.ts'
import { Fetcher } from './fetcher.ts'
import type { Place } from './offsets.ts'
import { listOffsets, placeName } from './offsets.ts'
import { Outlet } from './outlet.ts'
import type { SubscribedTopics } from './subscribed-topics.ts'
import { lookUpTopics, refreshMs } from './subscribed-topics.ts'

/** How long to wait before leaders are looked up again, in milliseconds. */
const STALE_MS = 100

/** One subscription: its stream, and what stands behind it. */
export interface Reader extends LinkReader {
  /** The stream. */
  readonly outlet: Outlet
}

/** What a reader tells the link. */
export interface ReaderWatcher {
  /** The link must end. */
  lost(error: BackhaulError): void
  /** The reader left; wait for it. */
  left(reader: Reader): Promise<void>
}

/**
 * A subscription without a group: it gets all messages of its topics from now on. Nothing is remembered at the broker.
 *
 * Topics and partitions that appear later are read from their beginning, so that nothing published after the subscription is missed.
 */
export class FreeReader implements Reader {
  /** The stream. */
  readonly outlet: Outlet
  readonly #cluster: Cluster
  readonly #topics: readonly string[]
  readonly #watcher: ReaderWatcher
  readonly #fetcher: Fetcher
  readonly #stop = new AbortController()
  #stale = false
  #left = false

  constructor(
    cluster: Cluster,
    topics: readonly string[],
    { maxInWork }: SubscribeOptions,
    watcher: ReaderWatcher,
  ) {
    this.#cluster = cluster
    this.#topics = topics
    this.#watcher = watcher
    this.#fetcher = new Fetcher(cluster, () => this.outlet, {
      stale: () => this.#refreshSoon(),
      moved: () => undefined,
      lost: (error) => watcher.lost(error),
    })
    this.outlet = new Outlet(
      maxInWork,
      cluster.clock,
      () => this.#fetcher.look(),
      () => watcher.left(this),
      () => this.#fetcher.lag,
    )
  }

  /** See {@link LinkReader.start}. */
  async start(): Promise<void> {
    const found = await lookUpTopics(this.#cluster, this.#topics)
    await this.#add(found, 'latest')
    await this.#fetcher.check()
    this.#watch(found)
  }

  /** See {@link LinkReader.leave}. Nothing is to be written. */
  async leave(): Promise<void> {
    this.end(leftError())
    await Promise.resolve()
  }

  /** See {@link LinkReader.end}. */
  end(error: BackhaulError): void {
    this.#left = true
    this.#stop.abort()
    this.outlet.end()
    this.#fetcher.end(error)
  }

  async #add({ topics }: SubscribedTopics, where: 'latest' | 'earliest'): Promise<void> {
    const added: (Place & { readonly leader: number })[] = []
    for (const topic of topics) {
      for (const { index, leader } of topic.partitions) {
        const known = this.#fetcher.partitions.get(placeName({ topic: topic.name, index }))
        if (known === undefined) added.push({ topic: topic.name, index, leader })
        else known.leader = leader
      }
    }
    const offsets = await listOffsets(this.#cluster, added, where)
    for (const { topic, index, leader } of added) {
      const name = placeName({ topic, index })
      // another look may have been faster
      if (this.#fetcher.partitions.has(name)) continue
      this.#fetcher.add(new AssignedPartition(topic, index, leader, offsets.get(name) ?? 0))
    }
  }

  /** Looks up topics from time to time. */
  #watch(found: SubscribedTopics): void {
    const loop = async () => {
      for (let now = found; !this.#left;) {
        await this.#cluster.pause(refreshMs(this.#cluster, now), this.#stop.signal)
        now = await this.#refresh()
      }
    }
    loop().catch((error: unknown) => this.#failed(error))
  }

  async #refresh(): Promise<SubscribedTopics> {
    const found = await lookUpTopics(this.#cluster, this.#topics)
    await this.#add(found, 'earliest')
    this.#fetcher.look()
    return found
  }

  #refreshSoon(): void {
    if (this.#stale || this.#left) return
    this.#stale = true
    this.#cluster
      .pause(STALE_MS, this.#stop.signal)
      .then(() => {
        this.#stale = false
        return this.#refresh()
      })
      .then(() => {
        if ([...this.#fetcher.partitions.values()].some(({ leader }) => leader < 0)) this.#refreshSoon()
      })
      .catch((error: unknown) => this.#failed(error))
  }

  #failed(error: unknown): void {
    if (this.#left) return
    const { address } = this.#cluster.first
    this.#watcher.lost(error instanceof Failure ? error : violation(address, 'what cannot be read', error))
  }
}
