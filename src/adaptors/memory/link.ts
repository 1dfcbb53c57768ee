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
} from '../../contract/index.ts'
import { BackhaulError as Failure, DELIVERED } from '../../contract/index.ts'
import { deferred } from '../../kit/deferred.ts'
import { Ring } from '../../kit/ring.ts'
import { failAll } from '../shared/fail-all.ts'
import { checkTopicFilter } from '../shared/topic-filter.ts'
import type { MemoryBroker } from './broker.ts'
import { aborted, closed, linkLost, silent } from './errors.ts'
import type { MemoryDelivery } from './member.ts'
import { Member } from './member.ts'

/*
 * A message on its way is on the wire (the broker has not seen it), then taken (the broker has it, its acknowledgement is not
 * here yet), then settled. Settling happens once, in any of these states: what was settled early is passed over later.
 * A link is open, closing (settles what it has, takes nothing new) or ended.
 */

/** One `publish()`: what its messages have in common. */
interface Batch {
  readonly settle: Settle
  readonly signal: AbortSignal
  readonly onAbort: () => void
  readonly handedInMs: number
  readonly sent: Sent[]
  unsettled: number
}

/** One message on its way. */
interface Sent {
  readonly message: Message
  readonly batch: Batch
  readonly index: number
  /** Its place in the order in which this link was handed messages. */
  readonly order: number
  state: 'wire' | 'taken' | 'settled'
}

/** A question to the broker that waits for its turn. */
interface Question {
  readonly answer: () => void
  readonly fail: (error: BackhaulError) => void
}

/** A link to a broker in memory. */
export class MemoryLink implements Link {
  /** Those of the broker; a lasting identity has one link at a time. */
  readonly capabilities: Capabilities
  /** The broker. */
  readonly peer: Peer
  /** Its lasting identity, if it has one. */
  readonly clientId: string | undefined
  readonly #broker: MemoryBroker
  readonly #lost = deferred<BackhaulError>()
  readonly #wire = new Ring<Sent>()
  readonly #taken = new Ring<Sent>()
  readonly #batches = new Set<Batch>()
  readonly #members = new Set<Member>()
  readonly #questions = new Set<Question>()
  readonly #words = new Ring<{ readonly delivery: MemoryDelivery; readonly delayMs: number | undefined }>()
  #watch: Timer
  #order = 0
  #onTheirWay = 0
  #silentLooks = 0
  #idle = deferred()
  #closing: Promise<void> | undefined
  #ended: BackhaulError | undefined

  /** Made by the broker when it accepts a dial. */
  constructor(broker: MemoryBroker, clientId: string | undefined) {
    this.#broker = broker
    this.clientId = clientId
    this.capabilities =
      clientId === undefined ? broker.capabilities : { ...broker.capabilities, parallelLinks: false }
    this.peer = { protocol: 'memory', address: broker.address, tls: undefined }
    this.#watch = this.#watchLater()
  }

  /** Settles with the reason when the link has ended. */
  get lost(): Promise<BackhaulError> {
    return this.#lost.promise
  }

  /** Hands a batch in. */
  publish(messages: readonly Message[], settle: Settle, signal: AbortSignal): void {
    const error = this.#ended ?? (this.#closing === undefined ? undefined : closed(this.#broker.address))
    if (error !== undefined || signal.aborted) {
      failAll(messages, settle, error ?? aborted('publish', signal))
      return
    }
    if (messages.length === 0) return
    const batch: Batch = {
      settle,
      signal,
      onAbort: () => this.#abort(batch),
      handedInMs: this.#broker.settings.clock.monotonic(),
      sent: [],
      unsettled: messages.length,
    }
    for (const [index, message] of messages.entries()) {
      const sent: Sent = { message, batch, index, order: this.#order, state: 'wire' }
      this.#order += 1
      batch.sent.push(sent)
      this.#wire.push(sent)
    }
    this.#batches.add(batch)
    signal.addEventListener('abort', batch.onAbort, { once: true })
    this.#broker.wake()
  }

  /** Subscribes in the broker's next turn. */
  async subscribe(
    topics: readonly string[],
    { group, maxInWork }: SubscribeOptions,
    signal: AbortSignal,
  ): Promise<Deliveries> {
    if (this.#ended !== undefined || this.#closing !== undefined) {
      throw linkLost(this.#broker.address, 'the link has ended')
    }
    this.#checkSubscription(topics, group)
    await this.#ask(`subscribe to "${topics.join('", "')}"`, signal)
    const refusal = this.#broker.refusalOf(topics)
    if (refusal !== undefined) throw refusal
    return this.#join(topics, group, maxInWork, signal).stream
  }

  /** Flushes and ends. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  /** Ends the link at once. For the broker. */
  end(error: BackhaulError): void {
    if (this.#ended !== undefined) return
    this.#ended = error
    this.#watch.cancel()
    this.#broker.forget(this)
    this.#wire.clear()
    this.#taken.clear()
    this.#words.clear()
    this.#lost.resolve(error)
    for (const question of this.#questions) question.fail(linkLost(this.#broker.address, error.message))
    for (const member of this.#members) this.#leave(member, false)
    const failed: Outcome = { kind: 'failed', error }
    for (const batch of this.#batches) {
      for (const sent of batch.sent) this.#settle(sent, failed)
    }
    this.#idle.resolve()
  }

  /** A turn of the broker: it hears the readers' words and the questions, and takes what is on the wire. */
  work(): void {
    this.#silentLooks = 0
    for (let word = this.#words.shift(); word !== undefined; word = this.#words.shift()) {
      word.delivery.member.finished(word.delivery, word.delayMs)
      this.#broker.wake()
    }
    for (const question of this.#questions) question.answer()
    while (this.#onTheirWay < this.capabilities.maxInFlight) {
      const sent = this.#wire.shift()
      if (sent === undefined) break
      if (sent.state === 'wire') this.#take(sent)
    }
    if (!this.#broker.holdsAcknowledgements) {
      for (let sent = this.#taken.shift(); sent !== undefined; sent = this.#taken.shift()) {
        this.#settle(sent, DELIVERED)
      }
    }
    if (this.#wire.length > 0 && this.#onTheirWay < this.capabilities.maxInFlight) this.#broker.wake()
    if (this.#closing !== undefined && this.#isIdle()) this.#idle.resolve()
  }

  #take(sent: Sent): void {
    const outcome = this.#broker.take(sent.message)
    if (outcome.kind === 'delivered') {
      sent.state = 'taken'
      this.#onTheirWay += 1
      this.#taken.push(sent)
      return
    }
    this.#settle(sent, outcome)
    if (outcome.kind === 'failed') this.#failFollowers([sent], outcome)
    if (outcome.kind === 'refused' && outcome.scope === 'link') this.end(outcome.error)
  }

  #settle(sent: Sent, outcome: Outcome): void {
    if (sent.state === 'settled') return
    if (sent.state === 'taken') this.#onTheirWay -= 1
    sent.state = 'settled'
    const { batch } = sent
    batch.unsettled -= 1
    if (batch.unsettled === 0) {
      this.#batches.delete(batch)
      batch.signal.removeEventListener('abort', batch.onAbort)
    }
    batch.settle(sent.index, outcome)
  }

  #abort(batch: Batch): void {
    const failed: Outcome = { kind: 'failed', error: aborted('publish', batch.signal) }
    const open = batch.sent.filter(({ state }) => state !== 'settled')
    for (const sent of open) this.#settle(sent, failed)
    this.#failFollowers(open, failed)
    this.#broker.wake()
  }

  /** After a failure, whatever was handed in later with the same topic and key fails too, so that order is kept. */
  #failFollowers(failed: readonly Sent[], outcome: Outcome): void {
    if (!this.capabilities.keepsOrderAfterFailure) return
    const [first] = failed
    if (first === undefined) return
    const keys = new Set(failed.map(({ message }) => orderOf(message)))
    for (const batch of this.#batches) {
      for (const sent of batch.sent) {
        if (sent.order > first.order && keys.has(orderOf(sent.message))) this.#settle(sent, outcome)
      }
    }
  }

  #checkSubscription(topics: readonly string[], group: string | undefined): void {
    const { subscribes, groups } = this.capabilities
    if (!subscribes || (group !== undefined && !groups)) {
      const what = subscribes ? `groups such as "${group}"` : 'subscriptions'
      throw new Failure(
        'UNSUPPORTED',
        `Cannot subscribe at "${this.#broker.address}": it knows no ${what}, use a broker that does`,
      )
    }
    if (topics.length === 0) {
      throw new Failure('INVALID_TOPIC', 'Cannot subscribe: no topic is named, name at least one')
    }
    for (const topic of topics) checkTopicFilter(topic)
  }

  /** Resolves in the broker's next turn. */
  #ask(what: string, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const finish = () => {
        this.#questions.delete(question)
        signal.removeEventListener('abort', giveUp)
      }
      const question: Question = {
        answer: () => {
          finish()
          resolve()
        },
        fail: (error) => {
          finish()
          reject(error)
        },
      }
      const giveUp = () => question.fail(aborted(what, signal))
      if (signal.aborted) {
        giveUp()
        return
      }
      signal.addEventListener('abort', giveUp, { once: true })
      this.#questions.add(question)
      this.#broker.wake()
    })
  }

  #join(
    topics: readonly string[],
    group: string | undefined,
    maxInWork: number,
    signal: AbortSignal,
  ): Member {
    const leave = () => this.#leave(member, true)
    const member = new Member(
      this.#broker.queuesOf(topics, group, this.clientId),
      this.capabilities,
      maxInWork,
      (delivery, delayMs) => this.#hear(delivery, delayMs),
      async () => {
        signal.removeEventListener('abort', leave)
        leave()
      },
    )
    this.#members.add(member)
    signal.addEventListener('abort', leave, { once: true })
    void this.lost.then(() => signal.removeEventListener('abort', leave))
    if (this.#ended !== undefined) this.#leave(member, false)
    else if (signal.aborted) leave()
    this.#broker.wake()
    return member
  }

  #hear(delivery: MemoryDelivery, delayMs: number | undefined): void {
    if (this.#ended !== undefined) return
    this.#words.push({ delivery, delayMs })
    this.#broker.wake()
  }

  #leave(member: Member, byReader: boolean): void {
    if (byReader) member.leave()
    else member.end(this.capabilities.redelivers)
    if (!member.busy) this.#members.delete(member)
    for (const queue of member.queues) this.#broker.release(queue, byReader)
  }

  async #close(): Promise<void> {
    if (this.#ended === undefined && !this.#isIdle()) {
      const limit = this.#broker.settings.clock.after(this.#broker.settings.closeTimeoutMs, () => {
        this.#idle.resolve()
      })
      await this.#idle.promise
      limit.cancel()
    }
    this.end(closed(this.#broker.address))
  }

  #isIdle(): boolean {
    return this.#batches.size === 0 && this.#words.length === 0
  }

  #watchLater(): Timer {
    const { clock, keepAliveMs, publishTimeoutMs } = this.#broker.settings
    return clock.after(Math.ceil(Math.min(keepAliveMs, publishTimeoutMs) / 2), () => this.#look())
  }

  /** The keep-alive: ends a link whose broker stays silent, or does not acknowledge in time. */
  #look(): void {
    const { clock, keepAliveMs, publishTimeoutMs } = this.#broker.settings
    this.#silentLooks = this.#broker.frozen ? this.#silentLooks + 1 : 0
    const [oldest] = this.#batches
    if (this.#silentLooks > 1) this.end(silent(this.#broker.address, keepAliveMs))
    else if (oldest !== undefined && clock.monotonic() - oldest.handedInMs >= publishTimeoutMs) {
      this.end(silent(this.#broker.address, publishTimeoutMs))
    } else this.#watch = this.#watchLater()
  }
}

/** Messages with equal text here are kept in order. */
function orderOf({ topic, key }: Message): string {
  return key === undefined ? topic : `${topic}\0${key}`
}
