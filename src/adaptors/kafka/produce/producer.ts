import type { BackhaulError, Message, Outcome, Settle } from '../../../contract/index.ts'
import { BackhaulError as Failure, DELIVERED } from '../../../contract/index.ts'
import type { Cluster } from '../session/cluster.ts'
import type { BrokerConnection } from '../session/connection.ts'
import { errorName } from '../session/driver.ts'
import { kafkaError, late, lostBy, violation } from '../errors.ts'
import { identify } from './identify.ts'
import type { Sent } from './in-hand.ts'
import { InHand } from './in-hand.ts'
import { partitionOf } from './partitioner.ts'
import type { Flight, PartitionQueue } from './partition-queue.ts'
import type { ProduceResult } from './request.ts'
import { PRODUCE, readProduce, writeProduce } from './request.ts'
import { verdictOf } from './verdict.ts'
import type { ProducerIdentity } from './record-batch.ts'
import { encodeMessage, prepareBatch } from './record-batch.ts'
import { problemOf } from './problem.ts'
import type { TopicQueue } from './topic-queue.ts'
import { TopicQueues } from './topic-queue.ts'

/*
 * Publishing. A message waits for its topic to be known, then in the queue of its partition, then in a batch on its way to the
 * broker that leads it. Batches are made of what waits when a request may leave: nothing is waited for.
 *
 * A message is settled once, wherever it is then; a settled one that still waits is passed over.
 */

const ACKS = { all: -1, '1': 1, '0': 0 } as const

/** The broker that leads some partitions, and what is on its way to it. */
interface Lane {
  readonly ready: Set<PartitionQueue>
  connection: BrokerConnection | undefined
  inFlight: number
}

/** Publishes over the brokers of a cluster. */
export class Producer {
  readonly #cluster: Cluster
  readonly #onLost: (error: BackhaulError) => void
  readonly #topics: TopicQueues
  readonly #lanes = new Map<number, Lane>()
  readonly #inHand: InHand
  #identity: ProducerIdentity | undefined
  #identifying = false
  #ended: BackhaulError | undefined

  /** @param onLost - called when the link must end */
  constructor(cluster: Cluster, onLost: (error: BackhaulError) => void) {
    this.#cluster = cluster
    this.#onLost = onLost
    this.#inHand = new InHand(cluster.clock, encodeMessage)
    this.#topics = new TopicQueues(cluster, {
      known: (topic) => this.#distribute(topic),
      refused: (topic, error) => this.#refuseTopic(topic, error),
      lost: onLost,
    })
  }

  /** Whether every message has its outcome. */
  get isIdle(): boolean {
    return this.#inHand.isIdle
  }

  /** Resolves when every message has its outcome, or the link has ended. */
  get idle(): Promise<void> {
    return this.#inHand.idle
  }

  /** See `Link.publish`. The link lives. */
  publish(messages: readonly Message[], settle: Settle, signal: AbortSignal): void {
    const refused: [Sent, BackhaulError][] = []
    for (const sent of this.#inHand.take(messages, settle, signal)) {
      const error = problemOf(sent.message, this.#cluster.options.maxMessageBytes)
      if (error === undefined) this.#queue(sent)
      else refused.push([sent, error])
    }
    if (refused.length > 0) {
      // not before publish() has returned
      setImmediate(() => {
        for (const [sent, error] of refused)
          this.#inHand.settle(sent, { kind: 'refused', scope: error.scope ?? 'message', error })
      })
    }
    if (this.#identity === undefined) this.#identify()
    else this.#pump()
  }

  /** Ends the link when a message has waited for its outcome for too long. */
  look(now: number): void {
    const { publishTimeoutMs } = this.#cluster.options
    const { oldestMs } = this.#inHand
    if (oldestMs === undefined || now - oldestMs < publishTimeoutMs) return
    this.#onLost(late(this.#cluster.first.address, 'acknowledge a message', publishTimeoutMs))
  }

  /** The link has ended: everything fails. */
  end(error: BackhaulError): void {
    if (this.#ended !== undefined) return
    this.#ended = error
    this.#inHand.settleAll({ kind: 'failed', error })
    this.#topics.end()
    this.#lanes.clear()
  }

  #queue(sent: Sent): void {
    const topic = this.#topics.of(sent.message.topic)
    if (topic.known) this.#toPartition(topic, sent)
    else topic.waiting.push(sent)
  }

  /** A topic is known now, or known better: what waits for it goes to its partitions. */
  #distribute(topic: TopicQueue): void {
    for (let sent = topic.waiting.shift(); sent !== undefined; sent = topic.waiting.shift()) {
      if (!sent.settled) this.#toPartition(topic, sent)
    }
    for (const queue of topic.partitions) if (!queue.empty) this.#ready(queue)
    this.#pump()
  }

  #toPartition(topic: TopicQueue, sent: Sent): void {
    const { partitioner, chance } = this.#cluster.options
    const index = partitionOf(partitioner, sent.encoded.key, topic.partitions.length, chance)
    const queue = topic.partitions[index]
    if (queue === undefined) return
    queue.push(sent)
    this.#ready(queue)
  }

  #ready(queue: PartitionQueue): void {
    if (queue.leader < 0) return
    const lane = this.#lanes.get(queue.leader) ?? this.#openLane(queue.leader)
    lane.ready.add(queue)
  }

  #openLane(leader: number): Lane {
    const lane: Lane = { ready: new Set(), connection: undefined, inFlight: 0 }
    this.#lanes.set(leader, lane)
    this.#cluster.connection(leader).then(
      (connection) => {
        lane.connection = connection
        this.#pump()
      },
      (error: unknown) => this.#lost(error),
    )
    return lane
  }

  #lost(error: unknown): void {
    if (this.#ended !== undefined) return
    const { address } = this.#cluster.first
    this.#onLost(error instanceof Failure ? error : violation(address, 'what cannot be read', error))
  }

  #identify(): void {
    if (this.#identifying) return
    this.#identifying = true
    identify(this.#cluster).then(
      (identity) => {
        this.#identity = identity
        this.#pump()
      },
      (error: unknown) => {
        this.#identifying = false
        if (!(error instanceof Failure) || error.scope !== 'topic') this.#lost(error)
        else this.#inHand.settleAll({ kind: 'refused', scope: 'topic', error })
      },
    )
  }

  /** Sends what may leave. */
  #pump(): void {
    if (this.#identity === undefined || this.#ended !== undefined) return
    const { maxInFlightRequests } = this.#cluster.options
    for (const [leader, lane] of this.#lanes) {
      while (lane.connection !== undefined && lane.inFlight < maxInFlightRequests) {
        const flights = this.#board(leader, lane)
        if (flights.length === 0) break
        this.#send(lane, lane.connection, flights)
      }
    }
  }

  /** The batches of one request: one of each partition that may send. */
  #board(leader: number, lane: Lane): Flight[] {
    const { idempotence, maxMessageBytes } = this.#cluster.options
    const flights: Flight[] = []
    let bytes = 0
    for (const queue of Array.from(lane.ready)) {
      if (queue.leader !== leader || queue.empty) lane.ready.delete(queue)
      else if (queue.mayLeave(idempotence)) {
        const flight = queue.leave()
        if (flight !== undefined) flights.push(flight)
        bytes += flight?.bytes ?? 0
        // the next request begins with those that are left
        lane.ready.delete(queue)
        if (!queue.empty) lane.ready.add(queue)
        if (bytes >= maxMessageBytes * 2) break
      }
    }
    return flights
  }

  #send(lane: Lane, connection: BrokerConnection, flights: readonly Flight[]): void {
    const { driver, clock, options } = this.#cluster
    const { acks, compression, publishTimeoutMs } = options
    const now = clock.now()
    const identity = this.#identity
    if (identity === undefined) return
    const parts = flights.map(({ queue, sent, sequence }) => ({
      topic: queue.topic,
      partition: queue.index,
      batch: prepareBatch(
        driver,
        sent.map(({ encoded }) => encoded),
        compression,
        identity,
        options.idempotence ? sequence : -1,
        now,
      ),
    }))
    const body = writeProduce(ACKS[acks], publishTimeoutMs, parts)
    const head = connection.header(PRODUCE.key, PRODUCE.version, body.length)
    lane.inFlight += 1
    if (acks === '0') {
      connection.sendOnly([head, body], (error) => {
        lane.inFlight -= 1
        if (error === undefined) for (const flight of flights) this.#delivered(flight)
        this.#pump()
      })
      return
    }
    connection.send(
      [head, body],
      {},
      (answer) => {
        lane.inFlight -= 1
        this.#answered(flights, readProduce(answer))
        this.#pump()
      },
      // the end of the connection is the end of the link, which fails everything
      () => undefined,
    )
  }

  #answered(flights: readonly Flight[], results: readonly ProduceResult[]): void {
    for (const flight of flights) {
      const { topic, index } = flight.queue
      const result = results.find((one) => one.partition === index && one.topic === topic)
      if (result === undefined) throw new RangeError('the answer leaves out a partition')
      this.#judge(flight, result)
      if (this.#ended !== undefined) return
    }
  }

  #judge(flight: Flight, result: ProduceResult): void {
    const { queue, sent } = flight
    const name = errorName(this.#cluster.driver, result.errorCode)
    const what = `publish to "${queue.topic}"`
    // what was behind a batch that came back does not follow any more
    const follows = queue.returning && name === 'OUT_OF_ORDER_SEQUENCE_NUMBER'
    const verdict = follows ? 'again' : verdictOf(name)
    const refusal = { name, what, text: result.text }
    switch (verdict) {
      case 'delivered':
        this.#delivered(flight)
        return
      case 'split':
        if (sent.length === 1) this.#refuse(sent, kafkaError({ ...refusal, scope: 'message' }), 'message')
        else queue.shrink(flight)
        break
      case 'culprits': {
        const named = result.culprits.flatMap((place) => sent[place] ?? [])
        const culprits = sent.length === 1 ? sent : named
        this.#refuse(culprits, kafkaError({ ...refusal, scope: 'message' }), 'message')
        if (culprits.length === 0) queue.shrink(flight)
        break
      }
      case 'topic': {
        const error = kafkaError({ ...refusal, scope: 'topic' })
        this.#refuse(sent, error, 'topic')
        this.#topics.forget(queue.topic)
        this.#refuseTopic(this.#topics.of(queue.topic), error)
        break
      }
      case 'again':
        if (!follows) this.#topics.forget(queue.topic)
        break
      case 'fail':
        this.#inHand.fail(sent, { kind: 'failed', error: kafkaError(refusal) })
        break
      case 'link':
        this.#onLost(kafkaError({ ...refusal, scope: 'link' }))
        return
      case 'end':
        this.#onLost(lostBy(refusal))
        return
    }
    queue.cameBack(flight)
    if (!queue.empty) this.#ready(queue)
  }

  #delivered({ queue, sent }: Flight): void {
    const inOrder = queue.arrived()
    for (const one of sent) this.#inHand.settle(one, DELIVERED)
    const what = `publish to "${queue.topic}"`
    if (!inOrder) this.#onLost(lostBy({ name: 'a later batch before an earlier one', what }))
    else if (!queue.empty) this.#ready(queue)
  }

  #refuse(sent: readonly Sent[], error: BackhaulError, scope: 'message' | 'topic'): void {
    const refused: Outcome = { kind: 'refused', scope, error }
    for (const one of sent) this.#inHand.settle(one, refused)
  }

  /** Refuses what waits for a topic; what is on its way gets its own answer. */
  #refuseTopic(topic: TopicQueue, error: BackhaulError): void {
    const refused: Outcome = { kind: 'refused', scope: 'topic', error }
    for (let sent = topic.waiting.shift(); sent !== undefined; sent = topic.waiting.shift()) {
      this.#inHand.settle(sent, refused)
    }
    for (const queue of topic.partitions) for (const sent of queue.drain()) this.#inHand.settle(sent, refused)
  }
}
