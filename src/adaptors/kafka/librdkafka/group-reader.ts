import type { BackhaulError, SubscribeOptions } from '../../../contract/index.ts'
import { BackhaulError as Failure } from '../../../contract/index.ts'
import { deferred } from '../../../kit/deferred.ts'
import { AssignedPartition } from '../consume/assigned-partition.ts'
import type { Place } from '../consume/offsets.ts'
import { placeName } from '../consume/offsets.ts'
import { Outlet } from '../consume/outlet.ts'
import type { Reader, ReaderWatcher } from '../consume/reader.ts'
import { lostBy } from '../errors.ts'
import type { NativeConsumer, NativeError, NativePlace } from './binding.ts'
import { Commits } from './commits.ts'
import type { NativeEngine } from './engine.ts'
import { LOCAL } from './native-errors.ts'
import { committed, edgesOf } from './offsets.ts'
import { leftError, Puller } from './puller.ts'
import type { FoundTopics } from './topics.ts'
import { findTopics, untilNextLook } from './topics.ts'

/*
 * A subscription as a member of a group. librdkafka joins, and tells which partitions come and go; each change is answered in order:
 *
 *   come: find where each begins ─▶ assign ─▶ confirm its beginning, so that its messages wait at the broker from now on
 *   go:   hand out nothing, let work finish for a while ─▶ confirm ─▶ give up
 *
 * With the cooperative assignor, what stays ours goes on all the while.
 */

/** How long a change of the group waits for what is in work, in milliseconds. What is not done then may come twice. */
const REST_MS = 1000

/** A subscription as a member of a group. */
export class GroupNativeReader implements Reader {
  /** The stream. */
  readonly outlet: Outlet
  readonly #engine: NativeEngine
  readonly #group: string
  readonly #topics: readonly string[]
  readonly #watcher: ReaderWatcher
  readonly #puller: Puller
  readonly #commits: Commits
  readonly #granted = deferred()
  /** Partitions that were there when the subscription began: `start` holds for these, later ones are read from their beginning. */
  readonly #first = new Set<string>()
  #consumer: NativeConsumer | undefined
  #changes: Promise<void> = Promise.resolve()
  #confirming: Promise<void> | undefined
  #dropped: Promise<void> | undefined
  #isGranted = false
  #leaving = false
  #cancelWait: () => void = () => undefined

  constructor(
    engine: NativeEngine,
    group: string,
    topics: readonly string[],
    options: SubscribeOptions,
    watcher: ReaderWatcher,
  ) {
    this.#engine = engine
    this.#group = group
    this.#topics = topics
    this.#watcher = watcher
    const what = `read in the group "${group}"`
    this.#commits = new Commits(engine.clock, what)
    this.#puller = new Puller(
      engine,
      options,
      what,
      () => this.outlet,
      (error) => this.#failed(error),
    )
    const onRoom = () => {
      this.#puller.look()
      this.#confirmSoon()
    }
    this.outlet = new Outlet(
      options.maxInWork,
      engine.clock,
      onRoom,
      () => watcher.left(this),
      () => this.#puller.lag,
    )
  }

  /** See {@link Reader.start}. */
  async start(): Promise<void> {
    const found = await findTopics(this.#engine, this.#topics)
    for (const { name: topic, partitions } of found.topics) {
      for (let index = 0; index < partitions; index += 1) this.#first.add(placeName({ topic, index }))
    }
    const consumer = await this.#engine.consumer(this.#group, (configuration) => {
      configuration['queue_non_empty_cb'] = this.#puller.look
      configuration['rebalance_cb'] = (error: NativeError, places: readonly NativePlace[]) =>
        this.#changed(error, places)
      configuration['offset_commit_cb'] = this.#commits.answered
    })
    if (this.#leaving) {
      await this.#engine.drop(consumer)
      throw leftError()
    }
    this.#consumer = consumer
    this.#puller.attach(consumer)
    this.#subscribe(found)
    if (found.topics.length === 0) this.#granted.resolve()
    await this.#granted.promise
    this.#isGranted = true
    this.#watch(found)
  }

  /** See {@link Reader.leave}. */
  async leave(): Promise<void> {
    if (this.#leaving) return
    this.#leaving = true
    this.#cancelWait()
    this.outlet.end()
    this.#puller.drain()
    // a link that ends waits for no answer of the broker
    const over = deferred()
    const onEnd = () => {
      this.#commits.giveUp()
      over.resolve()
    }
    const { signal } = this.#engine
    signal.addEventListener('abort', onEnd, { once: true })
    if (signal.aborted) onEnd()
    await this.#confirming
    await this.#changes
    await this.#confirm().catch(() => undefined)
    this.end(leftError())
    await Promise.race([this.#dropped, over.promise])
    signal.removeEventListener('abort', onEnd)
  }

  /** See {@link Reader.end}. */
  end(reason: BackhaulError): void {
    this.#leaving = true
    this.#cancelWait()
    this.#granted.reject(reason)
    this.#granted.promise.catch(() => undefined)
    this.outlet.end()
    this.#puller.end()
    this.#commits.giveUp()
    const consumer = this.#consumer
    if (consumer !== undefined) this.#dropped ??= this.#engine.drop(consumer, this.#commits.settled(consumer))
  }

  #subscribe({ topics }: FoundTopics): void {
    if (topics.length > 0) this.#consumer?.subscribe(topics.map(({ name }) => name))
    this.#puller.look()
  }

  /** librdkafka waits for the answer to each change. */
  #changed({ code }: NativeError, places: readonly NativePlace[]): void {
    if (this.#leaving) {
      this.#give(places)
      return
    }
    const own = places.map(({ topic, partition }) => ({ topic, index: partition }))
    const change = code === LOCAL.assign ? () => this.#come(own) : () => this.#go(own, places)
    this.#changes = this.#changes.then(change).catch((error: unknown) => this.#failed(error))
  }

  async #come(places: readonly Place[]): Promise<void> {
    const consumer = this.#consumer
    if (consumer === undefined) return
    const { options } = this.#engine
    const confirmed = await committed(consumer, places, options.requestTimeoutMs)
    const unread = places.filter((place) => !confirmed.has(placeName(place)))
    const edges = await edgesOf(consumer, unread, options.requestTimeoutMs)
    if (this.#leaving) return
    const begin = ({ topic, index }: Place): number => {
      const name = placeName({ topic, index })
      const edge = edges.get(name)
      const where = this.#first.has(name) ? options.start : 'earliest'
      return confirmed.get(name) ?? (where === 'latest' ? edge?.highOffset : edge?.lowOffset) ?? 0
    }
    const assigned = places.map((place) => {
      const partition = new AssignedPartition(place.topic, place.index, 0, begin(place))
      partition.confirmed = confirmed.get(placeName(place)) ?? -1
      this.#puller.add(partition)
      return { topic: place.topic, partition: place.index, offset: partition.position }
    })
    if (isCooperative(consumer)) consumer.incrementalAssign(assigned)
    else consumer.assign(assigned)
    this.#puller.look()
    await this.#confirm()
    if (this.#isGranted) return
    this.#puller.seen().then(
      () => this.#granted.resolve(),
      () => undefined,
    )
  }

  async #go(places: readonly Place[], given: readonly NativePlace[]): Promise<void> {
    const consumer = this.#consumer
    if (consumer === undefined) return
    const isOpen = places.some((place) => (this.#puller.partitions.get(placeName(place))?.open ?? 0) > 0)
    if (!consumer.assignmentLost()) {
      if (isOpen) await this.#rest()
      await this.#confirming
      await this.#confirm()
    }
    for (const place of places) this.#puller.remove(place)
    this.#give(given)
    this.outlet.pause(false)
  }

  #give(places: readonly NativePlace[]): void {
    try {
      if (this.#consumer === undefined) return
      if (isCooperative(this.#consumer)) this.#consumer.incrementalUnassign(places)
      else this.#consumer.unassign()
    } catch {
      // it is being closed, and gives up everything by itself
    }
  }

  /** What is in work gets a little time. */
  async #rest(): Promise<void> {
    this.outlet.pause(true)
    const limit = deferred()
    const timer = this.#engine.clock.after(REST_MS, () => limit.resolve())
    await Promise.race([this.outlet.quiet(), limit.promise])
    timer.cancel()
  }

  /** Confirms what is finished, not more often than every `commitIntervalMs`. */
  #confirmSoon(): void {
    if (this.#confirming !== undefined || this.#leaving) return
    if (![...this.#puller.partitions.values()].some(({ dirty }) => dirty)) return
    this.#confirming = this.#wait(this.#engine.options.commitIntervalMs)
      .then(() => this.#confirm())
      .catch((error: unknown) => this.#failed(error))
      .finally(() => {
        this.#confirming = undefined
        this.#confirmSoon()
      })
  }

  async #confirm(): Promise<void> {
    const dirty = [...this.#puller.partitions.values()].filter((partition) => partition.dirty)
    const consumer = this.#consumer
    if (dirty.length === 0 || consumer === undefined) return
    const offsets = dirty.map(({ topic, index, finished }) => ({ topic, partition: index, offset: finished }))
    const isDone = await this.#commits.commit(consumer, offsets)
    // where it is not, the group changes, and what was finished comes again
    if (!isDone) return
    for (const [place, partition] of dirty.entries()) partition.confirmed = offsets[place]?.offset ?? -1
  }

  /** Looks up topics from time to time. */
  #watch(found: FoundTopics): void {
    const namesOf = ({ topics }: FoundTopics) => topics.map(({ name }) => name).join(' ')
    const loop = async () => {
      for (let now = found; !this.#leaving;) {
        await this.#waitForLook(untilNextLook(this.#engine, now))
        if (this.#leaving) return
        const next = await findTopics(this.#engine, this.#topics, now)
        if (!this.#leaving && namesOf(next) !== namesOf(now)) this.#subscribe(next)
        now = next
      }
    }
    loop().catch((error: unknown) => this.#failed(error))
  }

  #waitForLook(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#engine.clock.after(ms, resolve)
      this.#cancelWait = () => {
        timer.cancel()
        resolve()
      }
    })
  }

  /** Not longer than the link lives. */
  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => void this.#engine.clock.after(ms, resolve, true))
  }

  #failed(error: unknown): void {
    if (this.#leaving) return
    const what = `read in the group "${this.#group}"`
    const reason = error instanceof Failure ? error : lostBy({ name: String(error), what })
    this.#granted.reject(reason)
    if (this.#isGranted) this.#watcher.lost(reason)
  }
}

function isCooperative(consumer: NativeConsumer): boolean {
  return consumer.rebalanceProtocol() === 'COOPERATIVE'
}
