import type { Clock, Message, Outcome, Settle } from '../../../contract/index.ts'
import { deferred } from '../../../kit/deferred.ts'
import { aborted } from '../errors.ts'
import type { Encoded } from './record-batch.ts'

/** One `publish()`: what its messages have in common. */
export interface Handed<E = Encoded> {
  /** Takes the outcomes. */
  readonly settle: Settle
  /** Gives the messages up. */
  readonly signal: AbortSignal
  /** Its listener. */
  readonly onAbort: () => void
  /** When it was handed in, on the monotonic clock. */
  readonly handedInMs: number
  /** Its messages. */
  readonly sent: Sent<E>[]
  /** How many of them have no outcome. */
  unsettled: number
}

/** One message on its way. */
export interface Sent<E = Encoded> {
  /** The message. */
  readonly message: Message
  /** What is sent. */
  readonly encoded: E
  /** What it was handed in with. */
  readonly handed: Handed<E>
  /** Its place there. */
  readonly index: number
  /** Its place in the order in which the link was handed messages. */
  readonly order: number
  /** Whether it has its outcome. Settled ones are passed over wherever they wait. */
  settled: boolean
}

/** Everything that was handed in and has no outcome. Each message is settled once. */
export class InHand<E = Encoded> {
  readonly #clock: Clock
  readonly #encode: (message: Message) => E
  readonly #handed = new Set<Handed<E>>()
  #order = 0
  #idle = deferred()

  /** @param encode - makes what is sent of a message */
  constructor(clock: Clock, encode: (message: Message) => E) {
    this.#clock = clock
    this.#encode = encode
  }

  /** Whether every message has its outcome. */
  get isIdle(): boolean {
    return this.#handed.size === 0
  }

  /** Resolves when every message has its outcome. */
  get idle(): Promise<void> {
    return this.#idle.promise
  }

  /** Since when the oldest message has waited for its outcome, on the monotonic clock. */
  get oldestMs(): number | undefined {
    for (const { handedInMs } of this.#handed) return handedInMs
    return undefined
  }

  /** Takes a batch in hand. When `signal` aborts, what of it is not settled fails. */
  take(messages: readonly Message[], settle: Settle, signal: AbortSignal): readonly Sent<E>[] {
    const handed: Handed<E> = {
      settle,
      signal,
      onAbort: () => this.#abort(handed),
      handedInMs: this.#clock.monotonic(),
      sent: [],
      unsettled: messages.length,
    }
    if (this.isIdle) this.#idle = deferred()
    this.#handed.add(handed)
    signal.addEventListener('abort', handed.onAbort, { once: true })
    for (const [index, message] of messages.entries()) {
      const encoded = this.#encode(message)
      handed.sent.push({ message, encoded, handed, index, order: this.#order, settled: false })
      this.#order += 1
    }
    return handed.sent
  }

  /** Settles a message, unless it is settled. */
  settle(sent: Sent<E>, outcome: Outcome): void {
    if (sent.settled) return
    sent.settled = true
    const { handed } = sent
    handed.unsettled -= 1
    if (handed.unsettled === 0) {
      this.#handed.delete(handed)
      handed.signal.removeEventListener('abort', handed.onAbort)
      if (this.isIdle) this.#idle.resolve()
    }
    handed.settle(sent.index, outcome)
  }

  /** What of a topic has no outcome, in the order in which it was handed in. */
  open(topic: string): Sent<E>[] {
    return [...this.#handed].flatMap(({ sent }) =>
      sent.filter((one) => !one.settled && one.message.topic === topic),
    )
  }

  /** Settles everything. */
  settleAll(outcome: Outcome): void {
    for (const { sent } of this.#handed) for (const one of sent) this.settle(one, outcome)
    this.#idle.resolve()
  }

  /** Fails messages, and with them whatever was handed in later with the same topic and key, so that order is kept. */
  fail(failing: readonly Sent<E>[], outcome: Outcome): void {
    const [first] = failing
    if (first === undefined) return
    for (const sent of failing) this.settle(sent, outcome)
    const keys = new Set(failing.map(({ message }) => orderOf(message)))
    for (const { sent } of this.#handed) {
      for (const one of sent) {
        if (one.order > first.order && !one.settled && keys.has(orderOf(one.message)))
          this.settle(one, outcome)
      }
    }
  }

  #abort({ sent, signal }: Handed<E>): void {
    const failing = sent.filter(({ settled }) => !settled)
    this.fail(failing, { kind: 'failed', error: aborted('publish', signal) })
  }
}

/** What keeps its order. */
function orderOf({ topic, key }: Message): string {
  return key === undefined ? topic : `${topic}\0${key}`
}
