import type { BackhaulError, Clock, Message, Outcome, Settle } from '../../../contract/index.ts'
import { BackhaulError as Failure, DELIVERED } from '../../../contract/index.ts'
import type { Publisher } from '../engine.ts'
import { late, lostBy } from '../errors.ts'
import type { KafkaOptions } from '../options.ts'
import { mayWriteNowhere } from '../produce/identify.ts'
import { InHand } from '../produce/in-hand.ts'
import { problemOf } from '../produce/problem.ts'
import type { NativeError } from './binding.ts'
import type { Handed, Lane, LaneMaker, LaneWatcher } from './lane.ts'
import { nativeErrorName, nativeRefusal } from './native-errors.ts'
import { fateOf } from './fate.ts'
import type { Topic } from './topic-queue.ts'
import { hasNoPlace, newTopic } from './topic-queue.ts'

/*
 * Publishing over librdkafka, which batches by itself. A batch that the broker finds too large is refused as a whole, and what is behind
 * it must not overtake what is innocent in it. So:
 *
 *   main lane ── something refused ──▶ fatal: it writes nothing more and hands everything back ──▶ a fresh main lane
 *        │                                                                                            ▲
 *        ├── its identity may write to no topic ──▶ refuses all; the next message is tried over a fresh main lane
 *        │
 *        └── a batch was too large ──▶ its topic goes one message a batch, over the careful lane, until nothing of it waits
 *
 * Each topic has a queue. What was handed back goes to its front, in the order in which the link was handed it.
 */

/** How long a topic without an answer is left alone, in milliseconds. */
const AGAIN_MS = 100

/** How long a fatal lane may report nothing before what it holds is taken back, in milliseconds. */
const QUIET_MS = 1000

/** Publishes over librdkafka. */
export class NativePublisher implements Publisher {
  readonly #options: KafkaOptions
  readonly #clock: Clock
  readonly #address: string
  readonly #maker: LaneMaker
  readonly #describe: (topic: string) => Promise<{ readonly code: number; readonly partitions: number }>
  readonly #onLost: (error: BackhaulError) => void
  readonly #inHand: InHand<undefined>
  readonly #topics = new Map<string, Topic>()
  #main: Lane | undefined
  #careful: Lane | undefined
  /** Whether the main lane is being replaced. */
  #replacing = false
  /** Whether the careful lane is there, or comes. */
  #isOpening = false
  #hasRoom = true
  /** When a fatal lane reported last, on the monotonic clock. */
  #reportedMs = 0
  #ended = false

  /**
   * @param describe - asks about a topic
   * @param onLost - called when the link must end
   */
  constructor(
    setup: { readonly options: KafkaOptions; readonly clock: Clock; readonly address: string },
    maker: LaneMaker,
    describe: (topic: string) => Promise<{ readonly code: number; readonly partitions: number }>,
    onLost: (error: BackhaulError) => void,
  ) {
    this.#options = setup.options
    this.#clock = setup.clock
    this.#address = setup.address
    this.#maker = maker
    this.#describe = describe
    this.#onLost = onLost
    this.#inHand = new InHand(setup.clock, () => undefined)
  }

  /** See {@link Publisher.isIdle}. */
  get isIdle(): boolean {
    return this.#inHand.isIdle
  }

  /** See {@link Publisher.idle}. */
  get idle(): Promise<void> {
    return this.#inHand.idle
  }

  /** The lane that the link stands on. */
  get main(): Lane | undefined {
    return this.#main
  }

  /** Makes the main lane and connects it. */
  async open(): Promise<void> {
    const lane = await this.#maker.make(false, this.#watcher)
    this.#main = lane
    if (this.#ended) await lane.close()
  }

  /** See {@link Publisher.publish}. */
  publish(messages: readonly Message[], settle: Settle, signal: AbortSignal): void {
    const refused: [Handed, BackhaulError][] = []
    const topics = new Set<Topic>()
    for (const sent of this.#inHand.take(messages, settle, signal)) {
      const error = problemOf(sent.message, this.#options.maxMessageBytes)
      if (error === undefined) {
        const topic = this.#topic(sent.message.topic)
        topic.waiting.push(sent)
        topics.add(topic)
      } else refused.push([sent, error])
    }
    if (refused.length > 0) {
      // not before publish() has returned
      setImmediate(() => {
        for (const [sent, error] of refused)
          this.#inHand.settle(sent, { kind: 'refused', scope: error.scope ?? 'message', error })
      })
    }
    if (this.#main?.isForbidden === true) {
      // the right may have come since
      this.#replaceWhenEmpty()
      if (!this.#replacing) setImmediate(() => this.#drainAll())
    } else for (const topic of topics) this.#drain(topic)
  }

  /** Ends the link when a message has waited for its outcome for too long. */
  look(now: number): void {
    const { publishTimeoutMs } = this.#options
    const { oldestMs } = this.#inHand
    if (oldestMs !== undefined && now - oldestMs >= publishTimeoutMs)
      this.#onLost(late(this.#address, 'acknowledge a message', publishTimeoutMs))
  }

  /** The link has ended: everything fails. Resolves when the lanes are closed. */
  async end(reason: BackhaulError): Promise<void> {
    this.#ended = true
    this.#inHand.settleAll({ kind: 'failed', error: reason })
    this.#topics.clear()
    await Promise.all([this.#main?.close(), this.#careful?.close()])
  }

  #topic(name: string): Topic {
    const known = this.#topics.get(name)
    if (known !== undefined) return known
    const topic = newTopic(name)
    this.#topics.set(name, topic)
    return topic
  }

  /** Hands over what may leave. */
  #drain(topic: Topic): void {
    if (this.#main?.isForbidden === true && !this.#replacing) this.#forbid(topic)
    while (!this.#ended && topic.returned.length === 0) {
      const sent = topic.waiting.peek()
      if (sent === undefined) return
      if (!sent.settled) {
        const lane = topic.isCareful ? this.#carefulLane() : this.#mainLane()
        if (lane === undefined || !this.#hand(topic, sent, lane)) return
        // a refusal may have emptied the queue
        if (topic.waiting.peek() !== sent) continue
      }
      topic.waiting.shift()
    }
  }

  #hand(topic: Topic, sent: Handed, lane: Lane): boolean {
    let partition: number | undefined
    if (hasNoPlace(sent.message, this.#options)) {
      if (topic.partition === undefined) {
        this.#ask(topic)
        return false
      }
      partition = topic.partition
    }
    const answer = lane.produce(sent, partition)
    if (answer === 'full') this.#hasRoom = false
    else if (answer === 'taken') topic.inLane += 1
    else this.#judge(lane, topic, sent, answer)
    return answer !== 'full'
  }

  #mainLane(): Lane | undefined {
    return this.#replacing || this.#main?.isFatal === true ? undefined : this.#main
  }

  #carefulLane(): Lane | undefined {
    if (!this.#isOpening) {
      this.#isOpening = true
      const open = async () => {
        const lane = await this.#maker.make(true, this.#watcher)
        this.#careful = lane
        if (this.#ended) await lane.close()
        else this.#drainAll()
      }
      open().catch((error: unknown) => this.#failed(error))
    }
    return this.#careful
  }

  #drainAll(): void {
    for (const topic of this.#topics.values()) this.#drain(topic)
  }

  /** Finds a partition for what has no key: one for the life of the link, so that its order holds. */
  #ask(topic: Topic): void {
    const lane = this.#mainLane()
    if (topic.isAsked || lane === undefined) return
    const now = this.#clock.monotonic()
    topic.isAsked = true
    topic.askedSinceMs ??= now
    const { topicTimeoutMs, chance, createTopics } = this.#options
    const isLate = now - topic.askedSinceMs >= topicTimeoutMs
    this.#describe(topic.name)
      .then(({ code, partitions }) => {
        topic.isAsked = false
        if (this.#ended) return
        const word = nativeErrorName(code)
        const isUnknown = word === 'UNKNOWN_TOPIC_OR_PARTITION' || word === 'LEADER_NOT_AVAILABLE'
        if (code === 0 && partitions > 0) topic.partition = Math.floor(chance * partitions)
        else if ((!isUnknown && code !== 0) || isLate) {
          this.#refuseTopic(topic, { code, message: word })
          return
        } else if (createTopics) void lane.metadata(topic.name, AGAIN_MS).catch(() => undefined)
        if (topic.partition === undefined) this.#clock.after(AGAIN_MS, () => this.#drain(topic), true)
        else this.#drain(topic)
      })
      .catch((error: unknown) => this.#failed(error))
  }

  readonly #watcher: LaneWatcher = {
    report: (lane, sent, error) => this.#report(lane, sent, error),
    fatal: (lane, isGap, text) => {
      if (lane.isForbidden) this.#drainAll()
      else if (!isGap || lane !== this.#main) {
        this.#onLost(lostBy({ name: 'what its producer cannot go on with', what: 'publish', text }))
      } else {
        this.#replaceWhenEmpty()
        this.#watchFatal(lane)
      }
    },
    lost: (error) => this.#onLost(error),
  }

  #report(lane: Lane, sent: Handed, error: NativeError | undefined): void {
    if (this.#ended) return
    if (lane.isFatal) this.#reportedMs = this.#clock.monotonic()
    const topic = this.#topic(sent.message.topic)
    topic.inLane -= 1
    if (error === undefined) this.#inHand.settle(sent, DELIVERED)
    else this.#judge(lane, topic, sent, error)
    if (topic.returned.length > 0 && topic.inLane === 0) this.#takeBack(topic)
    if (topic.isCareful && topic.inLane === 0 && topic.waiting.length === 0) topic.isCareful = false
    if (lane.isForbidden) this.#drain(topic)
    else if (lane.isFatal) this.#replaceWhenEmpty()
    else if (!this.#hasRoom) {
      this.#hasRoom = true
      this.#drainAll()
    }
  }

  #judge(lane: Lane, topic: Topic, sent: Handed, error: NativeError): void {
    const what = `publish to "${topic.name}"`
    switch (fateOf(error.code)) {
      case 'split':
        if (lane === this.#careful) this.#refuse(sent, error, 'message')
        else {
          topic.isCareful = true
          topic.returned.push(sent)
        }
        break
      case 'message':
        this.#refuse(sent, error, 'message')
        break
      case 'topic':
        this.#refuse(sent, error, 'topic')
        this.#refuseTopic(topic, error)
        break
      case 'again':
        topic.returned.push(sent)
        break
      case 'fail':
        this.#inHand.fail([sent], { kind: 'failed', error: nativeRefusal(error, what, undefined) })
        break
      case 'link':
        this.#onLost(nativeRefusal(error, what, 'link'))
        break
      case 'end':
        this.#onLost(lostBy({ name: nativeErrorName(error.code), what, text: error.message }))
        break
    }
  }

  #refuse(sent: Handed, error: NativeError, scope: 'message' | 'topic'): void {
    const what = `publish to "${sent.message.topic}"`
    const refused: Outcome = { kind: 'refused', scope, error: nativeRefusal(error, what, scope) }
    this.#inHand.settle(sent, refused)
  }

  /** Refuses what waits for a topic; what is in a lane gets its own answer. */
  #refuseTopic(topic: Topic, error: NativeError): void {
    for (let next = topic.waiting.shift(); next !== undefined; next = topic.waiting.shift()) {
      this.#refuse(next, error, 'topic')
    }
    topic.partition = undefined
    topic.askedSinceMs = undefined
  }

  /** Refuses what waits for a topic, whatever it is: none may be written to. */
  #forbid(topic: Topic): void {
    const error = mayWriteNowhere(this.#address, 'CLUSTER_AUTHORIZATION_FAILED')
    for (let next = topic.waiting.shift(); next !== undefined; next = topic.waiting.shift())
      this.#inHand.settle(next, { kind: 'refused', scope: 'topic', error })
  }

  /** All of a topic that was in a lane has its answer: what was handed back goes out again. */
  #takeBack(topic: Topic): void {
    const returned = topic.returned.toSorted((a, b) => b.order - a.order)
    topic.returned = []
    for (const sent of returned) topic.waiting.unshift(sent)
    // the order in which reports come within one turn is not that of this one
    this.#clock.after(0, () => this.#drain(topic))
  }

  /** A fatal lane whose messages all have their answer is replaced by a fresh one. */
  #replaceWhenEmpty(): void {
    const old = this.#main
    if (this.#replacing || old === undefined || old.outstanding > 0 || this.#ended) return
    this.#replacing = true
    const replace = async () => {
      try {
        // readers and questions stand on the main lane
        await this.open()
      } finally {
        await old.close()
      }
      if (this.#ended) return
      this.#replacing = false
      this.#hasRoom = true
      this.#drainAll()
    }
    replace().catch((error: unknown) => this.#failed(error))
  }

  /** What came back to a fatal lane after it has let go of everything stays there without a report: it is taken back. */
  #watchFatal(lane: Lane): void {
    this.#reportedMs = this.#clock.monotonic()
    const look = () => {
      if (this.#ended || this.#replacing || lane !== this.#main) return
      const restMs = this.#reportedMs + QUIET_MS - this.#clock.monotonic()
      if (restMs > 0) {
        this.#clock.after(restMs, look, true)
        return
      }
      lane.abandon()
      for (const topic of this.#topics.values()) {
        // what is in the careful lane gets its report
        if (topic.inLane === 0 || (topic.isCareful && topic.returned.length === 0)) continue
        topic.waiting.clear()
        for (const sent of this.#inHand.open(topic.name)) topic.waiting.push(sent)
        topic.returned = []
        topic.inLane = 0
      }
      this.#replaceWhenEmpty()
    }
    this.#clock.after(QUIET_MS, look, true)
  }

  #failed(error: unknown): void {
    if (this.#ended) return
    const what = 'publish'
    this.#onLost(error instanceof Failure ? error : lostBy({ name: String(error), what }))
  }
}
