import type { BackhaulError, Timer } from '../../../contract/index.ts'
import { BackhaulError as Failure } from '../../../contract/index.ts'
import type { Deferred } from '../../../kit/deferred.ts'
import { deferred } from '../../../kit/deferred.ts'
import type { AssignedPartition } from '../consume/assigned-partition.ts'
import type { Place } from '../consume/offsets.ts'
import { placeName } from '../consume/offsets.ts'
import type { Outlet } from '../consume/outlet.ts'
import { lostBy } from '../errors.ts'
import type { NativeConsumer, NativeError, NativeMessage, NativePlace } from './binding.ts'
import type { NativeEngine } from './engine.ts'
import { LOCAL, nativeErrorName, nativeRefusal } from './native-errors.ts'

/*
 * Takes messages from a consumer of librdkafka into an outlet: as many as it has room for, without ever holding a thread. librdkafka
 * calls when its queue is no longer empty. Where the outlet stays full, fetching is paused and the consumer is asked all the same:
 * that is how a group changes, and how it knows that we live.
 */

/** How many messages are taken at once at most. */
const MOST = 500
/** How long an outlet may be full before fetching is paused, in milliseconds. */
const FULL_MS = 300
/** How often the consumer is asked without its call, in milliseconds. */
const ASK_MS = 500
/** What a message takes beside its bytes, about. */
const ITEM_BYTES = 200
/** How many bytes may wait in an outlet. */
const MOST_BYTES = 32 * 1024 * 1024

/** Takes messages from a consumer into an outlet. */
export class Puller {
  /** What is read. */
  readonly partitions = new Map<string, AssignedPartition>()
  readonly #engine: NativeEngine
  readonly #outlet: () => Outlet
  readonly #what: string
  readonly #onError: (error: BackhaulError) => void
  readonly #count: number
  readonly #unseen = new Set<string>()
  #seen: Deferred<void> | undefined
  #consumer: NativeConsumer | undefined
  #timer: Timer | undefined
  #fullSinceMs: number | undefined
  #isBusy = false
  #again = false
  #isPaused = false
  #isDraining = false
  #ended = false

  /**
   * @param what - completes "Cannot ..."
   * @param onError - called with a refusal, or what ends the link
   */
  constructor(
    engine: NativeEngine,
    { maxInWork }: { readonly maxInWork: number },
    what: string,
    outlet: () => Outlet,
    onError: (error: BackhaulError) => void,
  ) {
    this.#engine = engine
    this.#count = Math.max(1, Math.min(maxInWork, MOST))
    this.#what = what
    this.#outlet = outlet
    this.#onError = onError
  }

  /** Begins. */
  attach(consumer: NativeConsumer): void {
    this.#consumer = consumer
    consumer.on('data', (message: NativeMessage) => this.#push(message))
    consumer.on('partition.eof', (place: NativePlace) => this.#atEnd(place))
    this.#tick()
  }

  /** Reads a partition too. */
  add(partition: AssignedPartition): void {
    const name = placeName(partition)
    // what is assigned while fetching is paused is fetched: so all begin anew
    if (this.#isPaused) this.#resume()
    this.partitions.set(name, partition)
    this.#unseen.add(name)
  }

  /** Reads a partition no more; what is in work for it does not count. */
  remove(place: Place): void {
    const name = placeName(place)
    const partition = this.partitions.get(name)
    if (partition !== undefined) partition.active = false
    this.partitions.delete(name)
    this.#show(name)
  }

  /** How many messages of its partitions are not finished; `undefined` until each has told its end. */
  get lag(): number | undefined {
    let lag = 0
    for (const { topic, index, finished } of this.partitions.values()) {
      const end = this.#consumer?.getWatermarkOffsets(topic, index).highOffset ?? -1
      if (end < 0) return undefined
      lag += Math.max(0, end - finished)
    }
    return lag
  }

  /** Resolves when the broker has let us read every partition, or as much as there is room for. */
  seen(): Promise<void> {
    if (this.#unseen.size === 0) return Promise.resolve()
    this.#seen ??= deferred()
    return this.#seen.promise
  }

  /** There may be something, or room for it. */
  readonly look = (): void => {
    const consumer = this.#consumer
    if (consumer === undefined || this.#ended) return
    if (this.#isBusy) {
      this.#again = true
      return
    }
    if (!this.#mayTake(consumer)) return
    this.#isBusy = true
    this.#again = false
    consumer.consume(this.#count, (error, messages) => {
      this.#isBusy = false
      if (this.#ended) return
      if (error) this.#failed(error)
      if (this.#again || error || messages.length === this.#count) setImmediate(this.look)
    })
  }

  /** What comes from now on is left aside; the consumer is asked on, since its confirmations are answered that way. */
  drain(): void {
    this.#isDraining = true
    this.look()
  }

  /** Nothing is taken any more. */
  end(): void {
    this.#ended = true
    this.#timer?.cancel()
    for (const partition of this.partitions.values()) partition.active = false
    this.#seen?.resolve()
  }

  #tick(): void {
    if (this.#ended) return
    this.#timer = this.#engine.clock.after(ASK_MS, () => {
      this.look()
      this.#tick()
    })
  }

  /** Whether the consumer may be asked; it is paused where the outlet has been full for long. */
  #mayTake(consumer: NativeConsumer): boolean {
    if (this.#isDraining) return true
    const outlet = this.#outlet()
    const hasRoom = outlet.hungry && outlet.bytes < MOST_BYTES
    if (hasRoom) {
      this.#fullSinceMs = undefined
      if (this.#isPaused) this.#resume()
      return true
    }
    // nobody reads before the subscription is granted: what fills the outlet is enough to see
    this.#unseen.clear()
    this.#seen?.resolve()
    this.#seen = undefined
    if (this.#isPaused) return true
    const now = this.#engine.clock.monotonic()
    this.#fullSinceMs ??= now
    if (now - this.#fullSinceMs < FULL_MS) return false
    this.#isPaused = true
    consumer.pause(this.#places)
    return true
  }

  #resume(): void {
    this.#isPaused = false
    this.#consumer?.resume(this.#places)
  }

  get #places(): NativePlace[] {
    return [...this.partitions.values()].map(({ topic, index }) => ({ topic, partition: index }))
  }

  #push({ topic, partition: index, offset, timestamp, key, value, headers = [] }: NativeMessage): void {
    const name = placeName({ topic, index })
    const partition = this.partitions.get(name)
    // what was taken out of the queue before its partition went
    if (partition === undefined || this.#ended || this.#isDraining || offset < partition.position) return
    partition.position = offset + 1
    const stored = {
      offset,
      batchTime: timestamp ?? 0,
      key: key === null || key === undefined ? undefined : Buffer.from(key),
      value: value ?? Buffer.alloc(0),
      headers: headers.flatMap((one) =>
        Object.entries(one).flatMap(([name, value]) => [Buffer.from(name), Buffer.from(value)]),
      ),
    }
    const bytes = stored.value.length + (stored.key?.length ?? 0) + ITEM_BYTES
    const item = { partition, offset, stored, bytes, redelivered: false, finished: false }
    partition.add(item)
    this.#outlet().push(item)
    this.#show(name)
  }

  #atEnd({ topic, partition: index, offset = -1 }: NativePlace): void {
    const name = placeName({ topic, index })
    const partition = this.partitions.get(name)
    // what was left aside before the end is not read
    if (partition === undefined || this.#ended || this.#isDraining) return
    if (offset > partition.position) partition.moveTo(offset)
    this.#show(name)
  }

  #show(name: string): void {
    if (this.#unseen.delete(name) && this.#unseen.size === 0) {
      this.#seen?.resolve()
      this.#seen = undefined
    }
  }

  #failed(error: NativeError): void {
    const name = nativeErrorName(error.code)
    switch (error.code) {
      case LOCAL.transport:
      case LOCAL.timedOut:
      case LOCAL.unknownTopic:
      case LOCAL.unknownPartition:
      case LOCAL.allDown:
      case LOCAL.authentication:
        // topics are looked up, and connections watched, elsewhere
        return
      default:
        if (PASSING.has(name)) return
    }
    const refusal = nativeRefusal(error, this.#what, 'topic')
    this.#onError(
      refusal.code === 'REFUSED' ? lostBy({ name, what: this.#what, text: error.message }) : refusal,
    )
  }
}

const PASSING: ReadonlySet<string> = new Set([
  'UNKNOWN_TOPIC_OR_PARTITION',
  'LEADER_NOT_AVAILABLE',
  'NOT_LEADER_OR_FOLLOWER',
  'ILLEGAL_GENERATION',
  'UNKNOWN_MEMBER_ID',
  'REBALANCE_IN_PROGRESS',
])

/** What a wait ends with that belongs to a subscription that was left. */
export function leftError(): BackhaulError {
  return new Failure('CLOSED', 'Cannot read: the subscription was left, subscribe again')
}
