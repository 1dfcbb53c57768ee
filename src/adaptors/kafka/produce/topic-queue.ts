import type { BackhaulError } from '../../../contract/index.ts'
import { BackhaulError as Failure } from '../../../contract/index.ts'
import { Ring } from '../../../kit/ring.ts'
import type { Cluster, Topic } from '../session/cluster.ts'
import { kafkaError, violation } from '../errors.ts'
import type { Sent } from './in-hand.ts'
import { PartitionQueue } from './partition-queue.ts'

/** What waits for a topic, and its partitions as far as they are known. */
export interface TopicQueue {
  /** Its name. */
  readonly name: string
  /** Messages that have no partition yet. */
  readonly waiting: Ring<Sent>
  /** Its partitions by number. They stay for the life of the link, with their sequence numbers. */
  readonly partitions: PartitionQueue[]
  /** Whether its partitions and their leaders are known. */
  known: boolean
  /** Since when it is being asked for, on the monotonic clock. */
  askedSinceMs: number
  /** When it was last known, on the monotonic clock. */
  knownSinceMs: number
}

/** Who is told about topics. */
export interface TopicWatcher {
  /** It is known, or known better. */
  known(topic: TopicQueue): void
  /** The broker will not have anything for it. */
  refused(topic: TopicQueue, error: BackhaulError): void
  /** The broker cannot be asked. */
  lost(error: BackhaulError): void
}

/** How long to wait before a topic that is not there (yet) is asked for again, in milliseconds. */
const AGAIN_MS = 100
/** Errors of a topic that is being made, or of a partition that is changing hands. */
const PASSING: ReadonlySet<string> = new Set([
  'UNKNOWN_TOPIC_OR_PARTITION',
  'LEADER_NOT_AVAILABLE',
  'REPLICA_NOT_AVAILABLE',
])

/** The topics that a link publishes to. One question to the broker is on its way at a time, about all that are unknown. */
export class TopicQueues {
  readonly #cluster: Cluster
  readonly #watcher: TopicWatcher
  readonly #topics = new Map<string, TopicQueue>()
  readonly #unknown = new Set<TopicQueue>()
  #asking = false
  #ended = false

  constructor(cluster: Cluster, watcher: TopicWatcher) {
    this.#cluster = cluster
    this.#watcher = watcher
  }

  /** A topic; asks for it when it is not known. */
  of(name: string): TopicQueue {
    let topic = this.#topics.get(name)
    if (topic === undefined) {
      const now = this.#cluster.clock.monotonic()
      const waiting = new Ring<Sent>()
      topic = { name, waiting, partitions: [], known: false, askedSinceMs: now, knownSinceMs: now }
      this.#topics.set(name, topic)
    }
    if (!topic.known || this.#isOld(topic)) this.#ask(topic)
    return topic
  }

  /** What is known of a topic does not hold any more. */
  forget(name: string): void {
    const topic = this.#topics.get(name)
    if (topic === undefined) return
    topic.known = false
    for (const queue of topic.partitions) queue.leader = -1
    // a broker that is changing hands is not asked without end
    this.#cluster.pause(AGAIN_MS).then(
      () => this.#ask(topic),
      () => undefined,
    )
  }

  /** Nothing is asked any more. */
  end(): void {
    this.#ended = true
    this.#unknown.clear()
  }

  #isOld({ knownSinceMs }: TopicQueue): boolean {
    return this.#cluster.clock.monotonic() - knownSinceMs > this.#cluster.options.metadataRefreshMs
  }

  #ask(topic: TopicQueue): void {
    if (this.#ended || this.#unknown.has(topic)) return
    topic.askedSinceMs = this.#cluster.clock.monotonic()
    this.#unknown.add(topic)
    if (this.#asking) return
    this.#asking = true
    this.#run().then(
      () => (this.#asking = false),
      (error: unknown) => {
        this.#asking = false
        if (this.#ended) return
        const { address } = this.#cluster.first
        this.#watcher.lost(
          error instanceof Failure ? error : violation(address, 'what cannot be read', error),
        )
      },
    )
  }

  async #run(): Promise<void> {
    const { options } = this.#cluster
    // what is handed in during this turn is asked for at once
    await Promise.resolve()
    while (this.#unknown.size > 0 && !this.#ended) {
      const names = [...this.#unknown].map(({ name }) => name)
      for (const found of await this.#cluster.topics(names, options.createTopics)) this.#heard(found)
      if (this.#unknown.size > 0) await this.#cluster.pause(AGAIN_MS)
    }
  }

  #heard(found: Topic): void {
    const topic = this.#topics.get(found.name)
    if (topic === undefined || !this.#unknown.has(topic)) return
    const now = this.#cluster.clock.monotonic()
    const isLate = now - topic.askedSinceMs >= this.#cluster.options.topicTimeoutMs
    const { error } = found
    const passes = error === undefined ? found.partitions.length === 0 : PASSING.has(error)
    if (passes && !isLate) return
    if (error !== undefined || found.partitions.length === 0) {
      this.#unknown.delete(topic)
      topic.known = false
      const what = `publish to "${topic.name}"`
      const name = error ?? 'UNKNOWN_TOPIC_OR_PARTITION'
      this.#watcher.refused(topic, kafkaError({ name, what, scope: 'topic' }))
      return
    }
    this.#learn(topic, found)
    topic.known = true
    topic.knownSinceMs = now
    // partitions without a leader are asked for again, the others go on
    if (topic.partitions.every(({ leader }) => leader >= 0)) this.#unknown.delete(topic)
    this.#watcher.known(topic)
  }

  #learn({ name, partitions }: TopicQueue, found: Topic): void {
    const { maxMessageBytes } = this.#cluster.options
    for (const { index, leader } of found.partitions) {
      while (partitions.length <= index) {
        partitions.push(new PartitionQueue(name, partitions.length, maxMessageBytes))
      }
      const queue = partitions[index]
      if (queue !== undefined) queue.leader = leader
    }
  }
}
