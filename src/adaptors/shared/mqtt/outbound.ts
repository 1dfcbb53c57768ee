import type { Message, Outcome, Settle } from '../../../contract/index.ts'
import { BackhaulError, DELIVERED } from '../../../contract/index.ts'
import { Ring } from '../../../kit/ring.ts'
import { PublishEncoder } from './encode-publish.ts'
import type { Output } from './output.ts'
import { PROTOCOL_VIOLATION, ProtocolViolation } from './protocol-error.ts'
import { FAILURE, publishOutcome } from './reasons.ts'
import type { Qos, SessionFacts } from './settings.ts'
import { SignalWatch } from '../signal-watch.ts'

/*
 * Messages on their way to the broker.
 *
 * A message is waiting (its batch lies in `#waiting`, and its index is at or behind the batch's cursor), in flight (it has a slot,
 * and with it a packet id), or settled. It never goes back.
 *
 * Invariants:
 * - Messages go out in call order; a full window or a blocked socket holds up all that come later.
 * - Slots are as many as the broker's Receive Maximum allows. The packet id is the slot's number plus one, so ids above
 *   the window stay free for SUBSCRIBE. A slot is free again only after the broker's last word on it, also when its message was
 *   settled long before (by an abort, or because an earlier message of its key failed).
 * - Each message is settled once: whoever settles one takes it out of its slot, or marks it in its batch, first.
 *
 * QoS 2 on a resumed session: the broker may still hold messages of an earlier link that it had not been told to release, and
 * would take a new message under such an id for a repeat, and drop it. So every id is released (PUBREL) first,
 * and its slot is free only once the broker has confirmed. What it held is then published; the pump sends it again
 * as well: over several links, QoS 2 is at least once.
 */

type Stage = 'free' | 'puback' | 'pubrec' | 'pubcomp'

/** A place in the window; for QoS 0, a message that the system has not taken yet. */
class Slot {
  stage: Stage = 'free'
  batch: Batch | undefined
  index = 0
  sequence = 0
  sentAtMs = 0
}

/** One call of `publish`. */
class Batch {
  readonly messages: readonly Message[]
  readonly settle: Settle
  readonly signal: AbortSignal
  /** The first message that has not gone out. */
  cursor = 0
  unsettled: number
  /** Those settled before they went out. */
  done: Set<number> | undefined

  constructor(messages: readonly Message[], settle: Settle, signal: AbortSignal) {
    this.messages = messages
    this.settle = settle
    this.signal = signal
    this.unsettled = messages.length
  }
}

/** One message that is not settled, for walks over all of them in order. */
interface Unsettled {
  readonly batch: Batch
  readonly index: number
  readonly sequence: number
  readonly slot: Slot | undefined
}

const PUBREL = 0x62

/** The publishing half of a session. */
export class Outbound {
  readonly #output: Output
  readonly #encoder: PublishEncoder
  readonly #qos: Qos
  readonly #now: () => number
  readonly #onIdle: () => void
  readonly #slots: Slot[]
  readonly #free = new Ring<number>()
  readonly #waiting = new Ring<Batch>()
  /** QoS 0: written to the output, not taken by the system. */
  readonly #unwritten = new Ring<Slot>()
  readonly #signals: SignalWatch
  #mark: NodeJS.Immediate | undefined
  #sequence = 0
  #unsettled = 0
  #closed: BackhaulError | undefined
  #end: BackhaulError | undefined

  constructor(
    output: Output,
    facts: SessionFacts,
    options: { qos: Qos; retain: boolean; now: () => number; onIdle: () => void },
  ) {
    this.#output = output
    this.#qos = options.qos
    this.#now = options.now
    this.#onIdle = options.onIdle
    this.#encoder = new PublishEncoder(output, {
      level: facts.level,
      qos: options.qos,
      retain: options.retain,
      maxPacketBytes: facts.maxPacketBytes,
    })
    this.#signals = new SignalWatch((signal) => {
      this.#failKeys(this.#allUnsettled(), new Set(), signal, aborted())
    })
    this.#slots = Array.from({ length: facts.sendMaximum }, () => new Slot())
    const releasing = facts.resumed && options.qos === 2
    for (const [number, slot] of this.#slots.entries()) {
      if (releasing) {
        slot.stage = 'pubcomp'
        output.acknowledge(PUBREL, number + 1)
      } else {
        this.#free.push(number)
      }
    }
  }

  /** How many messages are not settled. */
  get unsettled(): number {
    return this.#unsettled
  }

  /** See `Link.publish`. */
  publish(messages: readonly Message[], settle: Settle, signal: AbortSignal): void {
    if (messages.length === 0) return
    const batch = new Batch(messages, settle, signal)
    this.#unsettled += messages.length
    const over = this.#end ?? this.#closed
    if (over !== undefined || signal.aborted) {
      const error = over ?? aborted()
      // never inside the call: the caller may not be ready for it
      setImmediate(() => {
        for (let index = 0; index < messages.length; index += 1) {
          this.#settle(batch, index, { kind: 'failed', error })
        }
      })
      return
    }
    this.#signals.add(signal)
    this.#waiting.push(batch)
    this.pump()
  }

  /** Sends what waits, as far as the window and the socket allow. */
  pump(): void {
    const nowMs = this.#now()
    for (;;) {
      const batch = this.#waiting.peek()
      if (batch === undefined) return
      while (batch.cursor < batch.messages.length) {
        if (this.#end !== undefined || this.#output.blocked) return
        if (this.#qos !== 0 && this.#free.length === 0) return
        const index = batch.cursor
        batch.cursor += 1
        if (batch.done?.has(index) !== true) this.#send(batch, index, nowMs)
      }
      this.#waiting.shift()
    }
  }

  /** The broker's PUBACK. */
  acknowledged(packetId: number, reasonCode: number, text?: string): void {
    const slot = this.#slotOf(packetId, 'puback')
    this.#finish(packetId, slot, reasonCode, text)
  }

  /** The broker's PUBREC: it has the message, and is told to publish it. */
  received(packetId: number, reasonCode: number, text?: string): void {
    if (this.#slots[packetId - 1]?.stage === 'pubcomp') {
      this.#output.acknowledge(PUBREL, packetId)
      return
    }
    const slot = this.#slotOf(packetId, 'pubrec')
    if (reasonCode >= FAILURE) {
      this.#finish(packetId, slot, reasonCode, text)
      return
    }
    slot.stage = 'pubcomp'
    this.#output.acknowledge(PUBREL, packetId)
  }

  /** The broker's PUBCOMP. A reason of its own only says that it had forgotten the id. */
  completed(packetId: number): void {
    this.#finish(packetId, this.#slotOf(packetId, 'pubcomp'), 0)
  }

  /** When the oldest message in flight went out, in monotonic milliseconds; `undefined` when there is none. */
  oldestMs(): number | undefined {
    let oldest: number | undefined
    for (const slot of this.#slots) {
      if (slot.stage !== 'free' && slot.batch !== undefined && !(slot.sentAtMs >= (oldest ?? Infinity))) {
        oldest = slot.sentAtMs
      }
    }
    return oldest
  }

  /** Nothing new is taken any more; what was taken goes on. */
  close(error: BackhaulError): void {
    this.#closed ??= error
  }

  /** The link has ended: everything fails, and so does whatever comes later. */
  end(error: BackhaulError): void {
    if (this.#end !== undefined) return
    this.#end = error
    const all = this.#allUnsettled()
    this.#waiting.clear()
    this.#unwritten.clear()
    if (this.#mark !== undefined) clearImmediate(this.#mark)
    for (const entry of all) this.#fail(entry, error)
    this.#signals.close()
  }

  #send(batch: Batch, index: number, nowMs: number): void {
    const message = batch.messages[index]
    if (message === undefined) return
    let remaining: number
    try {
      remaining = this.#encoder.measure(message)
    } catch (error) {
      this.#refuse(batch, index, error)
      return
    }
    const number = this.#qos === 0 ? -1 : (this.#free.shift() ?? -1)
    const slot = this.#slots[number] ?? new Slot()
    slot.stage = this.#qos === 2 ? 'pubrec' : 'puback'
    slot.batch = batch
    slot.index = index
    slot.sequence = this.#sequence
    slot.sentAtMs = nowMs
    this.#sequence += 1
    this.#encoder.write(message, number + 1, remaining)
    if (this.#qos === 0) {
      this.#unwritten.push(slot)
      this.#mark ??= setImmediate(this.#markWritten)
    }
  }

  /** Asks the output to tell when all that was written up to now is gone: QoS 0 has no other word for it. */
  readonly #markWritten = (): void => {
    this.#mark = undefined
    const upTo = this.#sequence
    this.#output.whenWritten(() => {
      for (let slot = this.#unwritten.peek(); slot !== undefined && slot.sequence < upTo;) {
        this.#unwritten.shift()
        const { batch, index } = slot
        slot.batch = undefined
        if (batch !== undefined) this.#settle(batch, index, DELIVERED)
        slot = this.#unwritten.peek()
      }
    })
  }

  #refuse(batch: Batch, index: number, error: unknown): void {
    if (!(error instanceof BackhaulError)) throw error
    setImmediate(() => this.#settle(batch, index, { kind: 'refused', scope: 'message', error }))
  }

  #slotOf(packetId: number, stage: Stage): Slot {
    const slot = this.#slots[packetId - 1]
    if (slot?.stage !== stage) {
      throw new ProtocolViolation(
        `an acknowledgement of packet ${packetId}, which is not on its way`,
        PROTOCOL_VIOLATION,
      )
    }
    return slot
  }

  #finish(packetId: number, slot: Slot, reasonCode: number, text?: string): void {
    const { batch, index, sequence } = slot
    slot.stage = 'free'
    slot.batch = undefined
    this.#free.push(packetId - 1)
    if (batch === undefined) return
    if (reasonCode < FAILURE) {
      this.#settle(batch, index, DELIVERED)
      return
    }
    const message = batch.messages[index]
    const outcome = publishOutcome(message?.topic ?? '', reasonCode, text)
    // looked at before the caller hears of it and hands in more
    const later =
      outcome.kind === 'failed' ? this.#allUnsettled().filter((entry) => entry.sequence > sequence) : []
    this.#settle(batch, index, outcome)
    if (outcome.kind === 'failed' && message !== undefined) {
      this.#failKeys(later, new Set([keyOf(message)]), undefined, outcome.error)
    }
  }

  /** Fails the messages of a signal, and with each of them everything later of its key. */
  #failKeys(
    entries: readonly Unsettled[],
    keys: Set<string>,
    signal: AbortSignal | undefined,
    error: BackhaulError,
  ): void {
    for (const entry of entries) {
      const message = entry.batch.messages[entry.index]
      if (message === undefined) continue
      const key = keyOf(message)
      if (entry.batch.signal !== signal && !keys.has(key)) continue
      keys.add(key)
      this.#fail(entry, error)
    }
  }

  #fail(entry: Unsettled, error: BackhaulError): void {
    const { batch, index, slot } = entry
    if (slot === undefined) {
      batch.done ??= new Set()
      if (batch.done.has(index)) return
      batch.done.add(index)
    } else {
      if (slot.batch !== batch || slot.sequence !== entry.sequence) return
      slot.batch = undefined
    }
    this.#settle(batch, index, { kind: 'failed', error })
  }

  /** Everything that is not settled, in the order in which it was handed in. */
  #allUnsettled(): Unsettled[] {
    const entries: Unsettled[] = []
    const add = (slot: Slot | undefined): void => {
      if (slot?.batch === undefined) return
      entries.push({ batch: slot.batch, index: slot.index, sequence: slot.sequence, slot })
    }
    for (const slot of this.#slots) add(slot)
    for (let place = 0; place < this.#unwritten.length; place += 1) add(this.#unwritten.peek(place))
    entries.sort((a, b) => a.sequence - b.sequence)
    for (let place = 0; place < this.#waiting.length; place += 1) {
      const batch = this.#waiting.peek(place)
      if (batch === undefined) continue
      for (let index = batch.cursor; index < batch.messages.length; index += 1) {
        if (batch.done?.has(index) !== true) {
          entries.push({ batch, index, sequence: Number.POSITIVE_INFINITY, slot: undefined })
        }
      }
    }
    return entries
  }

  #settle(batch: Batch, index: number, outcome: Outcome): void {
    this.#unsettled -= 1
    batch.unsettled -= 1
    if (batch.unsettled === 0) this.#signals.release(batch.signal)
    batch.settle(index, outcome)
    if (this.#unsettled === 0) this.#onIdle()
  }
}

/** Order is kept among messages of one topic with one key. */
function keyOf(message: Message): string {
  return message.key === undefined ? message.topic : `${message.topic}\0${message.key}`
}

function aborted(): BackhaulError {
  return new BackhaulError('ABORTED', 'Cannot publish: the caller gave up, call again')
}
