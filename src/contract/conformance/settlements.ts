import assert from 'node:assert/strict'

import type { Outcome } from '../adaptor.ts'
import type { Message } from '../message.ts'
import { describe } from './errors.ts'
import { within } from './waiting.ts'

/** What became of one `publish()`: every outcome as it came. */
export class Settlements {
  /** The batch. */
  readonly messages: readonly Message[]
  /** How often each message was settled. */
  readonly counts: number[]
  /** The first outcome of each message. */
  readonly outcomes: (Outcome | undefined)[]
  /** Told of each first outcome. */
  onOutcome: (index: number, outcome: Outcome) => void = () => undefined
  readonly #all: Promise<void>
  readonly #strays: number[] = []
  #left: number
  #finish: () => void = () => undefined

  /** @param messages - what was handed in */
  constructor(messages: readonly Message[]) {
    this.messages = messages
    this.counts = messages.map(() => 0)
    this.outcomes = messages.map(() => undefined)
    this.#left = messages.length
    this.#all = new Promise((resolve) => {
      this.#finish = resolve
    })
    if (this.#left === 0) this.#finish()
  }

  /** To be handed to `publish()`. */
  readonly settle = (index: number, outcome: Outcome): void => {
    const count = this.counts[index]
    if (count === undefined) {
      this.#strays.push(index)
      return
    }
    this.counts[index] = count + 1
    if (count > 0) return
    this.outcomes[index] = outcome
    this.#left -= 1
    this.onOutcome(index, outcome)
    if (this.#left === 0) this.#finish()
  }

  /** How many messages are not settled. */
  get unsettled(): number {
    return this.#left
  }

  /** Waits until everything is settled; fails after `ms` milliseconds. Gives the outcomes. */
  async all(ms: number): Promise<Outcome[]> {
    await within(ms, `settling all of ${this.messages.length} messages`, this.#all)
    return this.outcomes.filter((outcome) => outcome !== undefined)
  }

  /** Checks that every message was settled exactly once up to now. */
  checkOnce(): void {
    assert.deepEqual(this.#strays, [], 'settle() was called for messages that are not in the batch')
    const wrong = this.counts.findIndex((count) => count !== 1)
    assert.equal(wrong, -1, `message ${wrong} was settled ${this.counts[wrong]} times`)
  }
}

/** An outcome as a word, for comparisons: `delivered`, `failed`, or `refused message` and so on. */
export function wordOf(outcome: Outcome): string {
  return outcome.kind === 'refused' ? `refused ${outcome.scope}` : outcome.kind
}

/** Checks that all outcomes are `delivered`. */
export function checkDelivered(outcomes: readonly Outcome[]): void {
  for (const [index, outcome] of outcomes.entries()) {
    if (outcome.kind === 'delivered') continue
    assert.fail(`message ${index} was not delivered but ${wordOf(outcome)}: ${describe(outcome.error)}`)
  }
}
