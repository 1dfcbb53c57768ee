import type { BackhaulError, SubscribeOptions } from '../../../contract/index.ts'
import { BackhaulError as Failure } from '../../../contract/index.ts'
import { deferred } from '../../../kit/deferred.ts'
import { AssignedPartition } from './assigned-partition.ts'
import type { Cluster } from '../session/cluster.ts'
import { violation } from '../errors.ts'
import { Fetcher } from './fetcher.ts'
import { Member } from './membership.ts'
import type { Membership } from './membership.ts'
import type { Place } from './offsets.ts'
import { listOffsets, placeName } from './offsets.ts'
import { Outlet } from './outlet.ts'
import type { Reader, ReaderWatcher } from './reader.ts'
import type { SubscribedTopics } from './subscribed-topics.ts'
import { lookUpTopics, refreshMs, shapeOf } from './subscribed-topics.ts'

/*
 * A subscription as a member of a group. One loop does everything that must happen in order:
 *
 *   look up topics ─▶ join ─▶ take partitions ─▶ live: heartbeats, confirming, looking for new topics ─┐
 *        ▲                                                                                              │
 *        └── rest: hand out nothing, let work finish for a while, confirm ◀── the group changes ────────┘
 *
 * In a cooperative group nobody rests: what was ours is handed out while the group changes. What is to move is given up after that (its
 * work finishes, and is confirmed), and we join again, so that another can have it.
 *
 * Nothing is confirmed while we join: the answer would be about another generation.
 *
 * Where a partition begins is confirmed before anything else: from then on the group's messages wait for it at the broker, also while
 * no member is there. What stays ours over a change goes on as if nothing had happened.
 */

/** How long a change of the group waits for what is in work, in milliseconds. What is not done then may come twice. */
const REST_MS = 1000

/** A subscription as a member of a group. */
export class GroupReader implements Reader {
  /** The stream. */
  readonly outlet: Outlet
  readonly #cluster: Cluster
  readonly #topics: readonly string[]
  readonly #watcher: ReaderWatcher
  readonly #fetcher: Fetcher
  readonly #member: Member
  readonly #granted = deferred()
  readonly #stop = new AbortController()
  readonly #over = deferred()
  /** Partitions that were there when the subscription began: `start` holds for these, later ones are read from their beginning. */
  readonly #first = new Set<string>()
  #wake = new AbortController()
  #joined = false
  #confirming: Promise<void> | undefined
  #stale = false
  #leaving = false

  constructor(
    cluster: Cluster,
    group: string,
    topics: readonly string[],
    { maxInWork }: SubscribeOptions,
    watcher: ReaderWatcher,
  ) {
    this.#cluster = cluster
    this.#topics = topics
    this.#watcher = watcher
    this.#member = new Member(cluster, group)
    this.#fetcher = new Fetcher(cluster, () => this.outlet, {
      stale: () => {
        this.#stale = true
        this.#wake.abort()
      },
      moved: () => this.#confirmSoon(),
      lost: (error) => watcher.lost(error),
    })
    this.outlet = new Outlet(
      maxInWork,
      cluster.clock,
      () => {
        this.#fetcher.look()
        this.#confirmSoon()
      },
      () => watcher.left(this),
      () => this.#fetcher.lag,
    )
  }

  /** See {@link Reader.start}. */
  start(): Promise<void> {
    this.#run()
      .catch((error: unknown) => this.#failed(error))
      .finally(() => this.#over.resolve())
    return this.#granted.promise
  }

  /** See {@link Reader.leave}. */
  async leave(): Promise<void> {
    if (this.#leaving) return
    this.#leaving = true
    this.#stop.abort()
    this.outlet.end()
    try {
      if (this.#joined) {
        await this.#confirming
        await this.#confirm()
      }
      await this.#member.leave()
    } catch (error) {
      // the link is at its end too: the group notices that we are gone
      if (!(error instanceof Failure)) throw error
    }
    this.end(new Failure('CLOSED', 'Cannot read: the subscription was left, subscribe again'))
    await this.#over.promise
  }

  /** See {@link Reader.end}. */
  end(error: BackhaulError): void {
    this.#leaving = true
    this.#stop.abort()
    this.#granted.reject(error)
    this.outlet.end()
    this.#fetcher.end(error)
    this.#member.end(error)
  }

  async #run(): Promise<void> {
    let found = await lookUpTopics(this.#cluster, this.#topics)
    for (const place of placesOf(found)) this.#first.add(placeName(place))
    for (let isFirst = true; !this.#leaving; isFirst = false) {
      const topics = found.topics.map(({ name }) => name)
      const membership = await this.#member.join(topics, [...this.#fetcher.partitions.values()])
      const moving = await this.#take(membership, found)
      if (isFirst) {
        await this.#fetcher.check()
        this.#granted.resolve()
      }
      if (moving.length > 0) await this.#giveUp(moving)
      else found = await this.#live(found)
      if (!this.#leaving) await this.#rest(membership.isCooperative)
    }
  }

  /** Takes over what the group gave us; what it took from us counts no more. Gives what is to be given up first. */
  async #take(
    { places, isContinued, isCooperative }: Membership,
    found: SubscribedTopics,
  ): Promise<readonly AssignedPartition[]> {
    const ours = new Set(places.map(placeName))
    const moving: AssignedPartition[] = []
    for (const partition of this.#fetcher.partitions.values()) {
      if (isContinued && ours.has(placeName(partition))) continue
      if (isContinued && isCooperative) moving.push(partition)
      else this.#fetcher.remove(partition)
    }
    const fresh = places.filter((place) => !this.#fetcher.partitions.has(placeName(place)))
    const confirmed = await this.#member.confirmed(fresh)
    const unread = fresh.filter((place) => !confirmed.has(placeName(place)))
    const begin = await this.#begin(unread)
    const leaders = leadersOf(found)
    for (const { topic, index } of fresh) {
      const name = placeName({ topic, index })
      const position = confirmed.get(name) ?? begin.get(name) ?? 0
      const partition = new AssignedPartition(topic, index, leaders.get(name) ?? -1, position)
      partition.confirmed = confirmed.get(name) ?? -1
      this.#fetcher.add(partition)
      if (partition.leader < 0) this.#stale = true
    }
    this.#joined = true
    await this.#confirm()
    this.outlet.pause(false)
    this.#fetcher.look()
    return moving
  }

  /** Nothing more of some partitions is handed out; what is in work gets a little time, and then they are not ours. */
  async #giveUp(moving: readonly AssignedPartition[]): Promise<void> {
    for (const partition of moving) partition.leaving = true
    await this.#quiet(moving)
    await this.#confirming
    await this.#confirm()
    for (const partition of moving) this.#fetcher.remove(partition)
  }

  /** Where partitions begin that the group has not read yet. */
  async #begin(places: readonly Place[]): Promise<Map<string, number>> {
    const { start } = this.#cluster.options
    const old = places.filter((place) => this.#first.has(placeName(place)))
    const later = places.filter((place) => !this.#first.has(placeName(place)))
    const begin = await listOffsets(this.#cluster, old, start)
    for (const [name, offset] of await listOffsets(this.#cluster, later, 'earliest')) begin.set(name, offset)
    return begin
  }

  /** Lives as a member until the group changes; gives the topics as they are then. */
  async #live(before: SubscribedTopics): Promise<SubscribedTopics> {
    const { clock, options } = this.#cluster
    let found = before
    let lookAtMs = clock.monotonic() + refreshMs(this.#cluster, found)
    while (!this.#leaving) {
      await this.#sleep(options.heartbeatIntervalMs)
      if (this.#leaving) break
      if ((await this.#member.heartbeat()) !== 'ok') return found
      if (!this.#stale && clock.monotonic() < lookAtMs) continue
      this.#stale = false
      const now = await lookUpTopics(this.#cluster, this.#topics)
      lookAtMs = clock.monotonic() + refreshMs(this.#cluster, now)
      const hasChanged = shapeOf(now) !== shapeOf(found)
      found = now
      if (hasChanged) return found
      this.#learnLeaders(found)
    }
    return found
  }

  #learnLeaders(found: SubscribedTopics): void {
    const leaders = leadersOf(found)
    for (const partition of this.#fetcher.partitions.values()) {
      partition.leader = leaders.get(placeName(partition)) ?? -1
      if (partition.leader < 0) this.#stale = true
    }
    this.#fetcher.look()
  }

  /** The group changes: what is in work gets a little time, unless all go on, and what is finished is confirmed. */
  async #rest(isCooperative: boolean): Promise<void> {
    if (!isCooperative) {
      this.outlet.pause(true)
      await this.#quiet()
    }
    await this.#confirming
    await this.#confirm()
    this.#joined = false
  }

  async #quiet(partitions?: readonly AssignedPartition[]): Promise<void> {
    const limit = new AbortController()
    const signal = AbortSignal.any([limit.signal, this.#stop.signal])
    const pause = this.#cluster.pause(REST_MS, signal).catch(() => undefined)
    await Promise.race([this.outlet.quiet(partitions), pause])
    limit.abort()
  }

  /** Sleeps until the time is up, or something is to be looked at. */
  async #sleep(ms: number): Promise<void> {
    this.#wake = new AbortController()
    const { signal } = this.#wake
    try {
      await this.#cluster.pause(
        this.#stale ? Math.min(ms, 100) : ms,
        AbortSignal.any([signal, this.#stop.signal]),
      )
    } catch (error) {
      if (!signal.aborted && !this.#stop.signal.aborted) throw error
    }
  }

  /** Confirms what is finished, not more often than every `commitIntervalMs`. */
  #confirmSoon(): void {
    if (this.#confirming !== undefined || !this.#joined || this.#leaving) return
    if (![...this.#fetcher.partitions.values()].some(({ dirty }) => dirty)) return
    this.#confirming = this.#cluster
      .pause(this.#cluster.options.commitIntervalMs, this.#stop.signal)
      .then(
        () => this.#confirm(),
        // whoever stops it confirms by itself
        () => undefined,
      )
      .catch((error: unknown) => this.#failed(error))
      .finally(() => {
        this.#confirming = undefined
        this.#confirmSoon()
      })
  }

  async #confirm(): Promise<void> {
    if (!this.#joined) return
    const dirty = [...this.#fetcher.partitions.values()].filter((partition) => partition.dirty)
    if (dirty.length === 0) return
    const offsets = dirty.map(({ topic, index, finished }) => ({ topic, index, offset: finished }))
    const word = await this.#member.confirm(offsets)
    if (word === 'ok')
      for (const [place, partition] of dirty.entries()) partition.confirmed = offsets[place]?.offset ?? -1
    // the next heartbeat says the same, and leads to joining again
    else this.#wake.abort()
  }

  #failed(error: unknown): void {
    const { address } = this.#cluster.first
    const reason = error instanceof Failure ? error : violation(address, 'what cannot be read', error)
    this.#granted.reject(reason)
    if (!this.#leaving && this.#hasBegun()) this.#watcher.lost(reason)
  }

  #hasBegun(): boolean {
    return this.#fetcher.checked
  }
}

function placesOf({ topics }: SubscribedTopics): Place[] {
  return topics.flatMap(({ name, partitions }) => partitions.map(({ index }) => ({ topic: name, index })))
}

function leadersOf({ topics }: SubscribedTopics): Map<string, number> {
  const leaders = new Map<string, number>()
  for (const { name, partitions } of topics) {
    for (const { index, leader } of partitions) leaders.set(placeName({ topic: name, index }), leader)
  }
  return leaders
}
