import assert from 'node:assert/strict'

import type { Deliveries } from '../adaptor.ts'
import type { Delivery } from '../delivery.ts'
import { settles, within } from './waiting.ts'

/** Reads a stream of deliveries with a deadline for each, and can look whether something comes without losing it. */
export class Reader {
  /** The stream itself. */
  readonly stream: Deliveries
  readonly #waitMs: number
  readonly #quietMs: number
  #pending: Promise<IteratorResult<Delivery, unknown>> | undefined

  /** @param quietMs - for how long `silence()` looks */
  constructor(stream: Deliveries, waitMs: number, quietMs: number) {
    this.stream = stream
    this.#waitMs = waitMs
    this.#quietMs = quietMs
  }

  /** The next delivery; fails when none comes in time, or the stream ends. */
  async next(what = 'a delivery'): Promise<Delivery> {
    const result = await within(this.#waitMs, what, this.#ask())
    this.#pending = undefined
    assert.ok(result.done !== true, `the stream ended before ${what}`)
    return result.value
  }

  /** The next `count` deliveries; each is acknowledged unless `ack` is false. */
  async take(count: number, ack = true): Promise<Delivery[]> {
    const taken: Delivery[] = []
    while (taken.length < count) {
      const delivery = await this.next(`delivery ${taken.length + 1} of ${count}`)
      if (ack) delivery.ack()
      taken.push(delivery)
    }
    return taken
  }

  /** Checks that nothing comes for a while. */
  async silence(why: string): Promise<void> {
    const asked = this.#ask()
    if (!(await settles(this.#quietMs, asked))) return
    const result = await asked
    assert.ok(result.done === true, `a delivery came, though ${why}`)
  }

  /** Reads on until `wanted` has seen enough: it is handed each delivery and gives true at the last one. */
  async until(what: string, wanted: (delivery: Delivery) => boolean): Promise<void> {
    while (!wanted(await this.next(what))) continue
  }

  /** Checks that the stream ends in time, and gives what came before. May be awaited later. */
  end(): Promise<Delivery[]> {
    const ended = this.#readOn()
    ended.catch(() => undefined)
    return ended
  }

  async #readOn(): Promise<Delivery[]> {
    const rest: Delivery[] = []
    for (;;) {
      const result = await within(this.#waitMs, 'the end of the stream', this.#ask())
      this.#pending = undefined
      if (result.done === true) return rest
      rest.push(result.value)
    }
  }

  /** Leaves, as the end of a `for await` loop does. */
  async leave(): Promise<void> {
    await within(this.#waitMs, 'return() of a stream', Promise.resolve(this.stream.return?.()))
  }

  #ask(): Promise<IteratorResult<Delivery, unknown>> {
    if (this.#pending === undefined) {
      this.#pending = this.stream.next()
      this.#pending.catch(() => undefined)
    }
    return this.#pending
  }
}
