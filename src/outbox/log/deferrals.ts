import { Ring } from '../../kit/ring.ts'
import type { Totals } from './cursor.ts'
import type { SegmentLog } from './segment-log.ts'

interface Deferral {
  readonly copy: number
  readonly from: SegmentLog
  readonly sequence: number
  readonly bytes: number
}

/** Records that were copied into a side log: each is over where it was once its copy is safe. */
export class Deferrals {
  readonly #parked: SegmentLog
  readonly #dead: SegmentLog
  readonly #totals: Totals
  readonly #toParked = new Ring<Deferral>()
  readonly #toDead = new Ring<Deferral>()

  constructor(parked: SegmentLog, dead: SegmentLog, totals: Totals) {
    this.#parked = parked
    this.#dead = dead
    this.#totals = totals
  }

  /** The record `sequence` of `from` is over once `to` is safe up to `copy`. */
  add(to: SegmentLog, copy: number, from: SegmentLog, sequence: number, bytes: number): void {
    const ring = to === this.#dead ? this.#toDead : this.#toParked
    ring.push({ copy, from, sequence, bytes })
  }

  /** Ends what may end; gives whether any did. */
  settle(): boolean {
    const parked = this.#settle(this.#toParked, this.#parked.safe, () => undefined)
    const dead = this.#settle(this.#toDead, this.#dead.safe, () => {
      this.#totals.dead += 1
    })
    return parked || dead
  }

  #settle(ring: Ring<Deferral>, safe: number, count: () => void): boolean {
    let any = false
    for (let next = ring.peek(); next !== undefined && next.copy <= safe; next = ring.peek()) {
      ring.shift()
      next.from.ack(next.sequence, next.bytes)
      count()
      any = true
    }
    return any
  }
}
