import type { Message, Outcome, Settle } from '../../src/contract/index.ts'
import { DELIVERED } from '../../src/contract/index.ts'
import { FAILED, REFUSED_LINK, REFUSED_MESSAGE, REFUSED_TOPIC } from './scripted-link.ts'

/** What the broker does with a message. */
export type Fate = 'takes' | 'fails' | 'takesAndFails' | 'refuses' | 'refusesLink'

interface Open {
  readonly message: Message
  readonly unit: string
  readonly settle: (outcome: Outcome) => void
  outcome: Outcome | undefined
}

/**
 * A link that keeps the contract in every way it allows: it works through each ordering unit in order, settles in any
 * order, and after a failure of a unit fails the later ones of it. It knows what has arrived at the broker, in order.
 */
export class ModelLink {
  /** Ids in the order in which they arrived, repeats included. */
  readonly arrived: string[] = []
  /** What the pump did wrong. */
  readonly faults: string[] = []
  /** Topics that the broker refuses. */
  readonly denied = new Set<string>()
  /** Whether one failure fails the later ones of its unit. */
  keepsOrder = true
  #open: Open[] = []
  /** What the broker refused once, it always refuses. */
  readonly #malformed = new Set<string>()
  readonly #broken = new Set<string>()

  readonly publish = (batch: readonly Message[], settle: Settle, signal: AbortSignal): void => {
    if (signal.aborted) this.faults.push('a batch was handed to an ended link')
    for (const [index, message] of batch.entries()) {
      const unit = `${message.topic}/${message.key}`
      const others = this.#open.filter(
        (open) => open.unit === unit && classOf(open.message) === classOf(message),
      )
      if (!this.keepsOrder && others.length > 0) this.faults.push(`${message.id} is not alone on its way`)
      if (this.inFlight.includes(message.id)) this.faults.push(`${message.id} is twice on its way`)
      this.#open.push({ message, unit, settle: (outcome) => settle(index, outcome), outcome: undefined })
    }
  }

  /** Ids of what is on its way. */
  get inFlight(): string[] {
    return this.#open.map(({ message }) => message.id)
  }

  /** Whether a message of the topic is on its way. */
  carries(topic: string): boolean {
    return this.#open.some(({ message }) => message.topic === topic)
  }

  /** The broker works on one unit's next message. */
  work(pick: number, fate: Fate): void {
    const waiting = this.#open.filter(({ outcome }) => outcome === undefined)
    const chosen = waiting[pick % Math.max(1, waiting.length)]
    const next = waiting.find(({ unit }) => unit === chosen?.unit)
    if (next === undefined) return
    next.outcome = this.#decide(next, fate)
  }

  /** The outcome of one message that the broker has worked on comes back. */
  answer(pick: number): void {
    const worked = this.#open.filter(({ outcome }) => outcome !== undefined)
    const chosen = worked[pick % Math.max(1, worked.length)]
    if (chosen?.outcome === undefined) return
    const isFailure = chosen.outcome === FAILED || chosen.outcome === REFUSED_LINK
    const later = this.#open.slice(this.#open.indexOf(chosen) + 1).filter(({ unit }) => unit === chosen.unit)
    if (isFailure && this.keepsOrder) for (const open of later) open.outcome = FAILED
    this.#open = this.#open.filter((open) => open !== chosen)
    if (!this.#open.some(({ unit }) => unit === chosen.unit)) this.#broken.delete(chosen.unit)
    chosen.settle(chosen.outcome)
  }

  /** The link ends. Gives the outcomes that come too late. */
  end(): () => void {
    const lost = this.#open
    this.#open = []
    this.#broken.clear()
    return () => {
      for (const { settle, outcome } of lost) settle(outcome ?? FAILED)
    }
  }

  #decide(open: Open, fate: Fate): Outcome {
    if (this.#broken.has(open.unit)) return FAILED
    if (this.denied.has(open.message.topic)) return REFUSED_TOPIC
    if (fate === 'refuses') this.#malformed.add(open.message.id)
    if (this.#malformed.has(open.message.id)) return REFUSED_MESSAGE
    if (fate === 'takes' || fate === 'takesAndFails') this.arrived.push(open.message.id)
    if (fate === 'takes') return DELIVERED
    if (this.keepsOrder) this.#broken.add(open.unit)
    return fate === 'refusesLink' ? REFUSED_LINK : FAILED
  }
}

/** Order holds within a class: ids begin with theirs. */
function classOf({ id }: Message): string {
  return id.split(' ')[0] ?? ''
}
