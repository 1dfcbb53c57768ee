import type { BackhaulError, SubscribeOptions } from '../../../contract/index.ts'
import { BackhaulError as Failure } from '../../../contract/index.ts'
import { deferred } from '../../../kit/deferred.ts'
import { AssignedPartition } from '../consume/assigned-partition.ts'
import { placeName } from '../consume/offsets.ts'
import { Outlet } from '../consume/outlet.ts'
import type { Reader, ReaderWatcher } from '../consume/reader.ts'
import { lostBy } from '../errors.ts'
import type { NativeConsumer } from './binding.ts'
import type { NativeEngine } from './engine.ts'
import { leftError, Puller } from './puller.ts'
import type { FoundTopics } from './topics.ts'
import { findTopics, untilNextLook } from './topics.ts'

/** librdkafka's words for where a partition begins. */
const BEGIN = { latest: -1, earliest: -2 } as const

/**
 * A subscription without a group: it gets all messages of its topics from now on. Topics and partitions that appear later are read from
 * their beginning. It joins no group; that the client's name for one is refused does not matter.
 */
export class FreeNativeReader implements Reader {
  /** The stream. */
  readonly outlet: Outlet
  readonly #engine: NativeEngine
  readonly #topics: readonly string[]
  readonly #watcher: ReaderWatcher
  readonly #puller: Puller
  readonly #refused = deferred<never>()
  #consumer: NativeConsumer | undefined
  #isGranted = false
  #left = false
  #cancelWait: () => void = () => undefined

  constructor(
    engine: NativeEngine,
    topics: readonly string[],
    options: SubscribeOptions,
    watcher: ReaderWatcher,
  ) {
    this.#engine = engine
    this.#topics = topics
    this.#watcher = watcher
    this.#refused.promise.catch(() => undefined)
    const what = `read ${topics.map((topic) => `"${topic}"`).join(', ')}`
    this.#puller = new Puller(
      engine,
      options,
      what,
      () => this.outlet,
      (error) => {
        const isOfGroup = error.brokerReason?.startsWith('GROUP_AUTHORIZATION_FAILED') === true
        if (!isOfGroup) this.#failed(error)
      },
    )
    this.outlet = new Outlet(
      options.maxInWork,
      engine.clock,
      this.#puller.look,
      () => watcher.left(this),
      () => this.#puller.lag,
    )
  }

  /** See {@link Reader.start}. */
  async start(): Promise<void> {
    const found = await findTopics(this.#engine, this.#topics)
    const consumer = await this.#engine.consumer(undefined, (configuration) => {
      configuration['queue_non_empty_cb'] = this.#puller.look
    })
    if (this.#left) {
      await this.#engine.drop(consumer)
      throw leftError()
    }
    this.#consumer = consumer
    this.#puller.attach(consumer)
    await this.#add(found, 'latest')
    this.#puller.look()
    await Promise.race([this.#puller.seen(), this.#refused.promise])
    this.#isGranted = true
    this.#watch(found)
  }

  /** See {@link Reader.leave}. Nothing is to be written. */
  async leave(): Promise<void> {
    this.end(leftError())
    await this.#dropped
  }

  #dropped: Promise<void> = Promise.resolve()

  /** See {@link Reader.end}. */
  end(error: BackhaulError): void {
    if (this.#left) return
    this.#left = true
    this.#refused.reject(error)
    this.#cancelWait()
    this.outlet.end()
    this.#puller.end()
    if (this.#consumer !== undefined) this.#dropped = this.#engine.drop(this.#consumer)
  }

  async #add({ topics }: FoundTopics, where: 'latest' | 'earliest'): Promise<void> {
    const { partitions } = this.#puller
    const fresh = topics.filter(({ name, partitions: count }) => {
      return !partitions.has(placeName({ topic: name, index: count - 1 }))
    })
    // it looks for an unknown leader only after half a second
    if (this.#consumer !== undefined) await this.#engine.learn(this.#consumer, fresh)
    if (this.#left) return
    let isMore = false
    for (const { name: topic, partitions: count } of topics) {
      for (let index = 0; index < count; index += 1) {
        if (partitions.has(placeName({ topic, index }))) continue
        this.#puller.add(new AssignedPartition(topic, index, 0, BEGIN[where]))
        isMore = true
      }
    }
    if (!isMore) return
    const places = [...partitions.values()]
    this.#consumer?.assign(
      places.map(({ topic, index, position }) => ({ topic, partition: index, offset: position })),
    )
  }

  /** Looks up topics from time to time. */
  #watch(found: FoundTopics): void {
    const loop = async () => {
      for (let now = found; !this.#left;) {
        await this.#wait(untilNextLook(this.#engine, now))
        if (this.#left) return
        now = await findTopics(this.#engine, this.#topics, now)
        if (!this.#left) await this.#add(now, 'earliest')
      }
    }
    loop().catch((error: unknown) => this.#failed(error))
  }

  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#engine.clock.after(ms, resolve)
      this.#cancelWait = () => {
        timer.cancel()
        resolve()
      }
    })
  }

  #failed(error: unknown): void {
    if (this.#left) return
    const reason = error instanceof Failure ? error : lostBy({ name: String(error), what: 'read' })
    this.#refused.reject(reason)
    if (this.#isGranted) this.#watcher.lost(reason)
  }
}
