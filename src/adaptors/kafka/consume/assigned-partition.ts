import { Ring } from '../../../kit/ring.ts'
import type { Item } from './outlet.ts'

/**
 * One partition that a subscription reads: where it reads on, and how far it is finished. Messages may be finished in any
 * order; the broker is told of the finished prefix.
 */
export class AssignedPartition {
  /** The topic's name. */
  readonly topic: string
  /** The partition's number. */
  readonly index: number
  /** The broker that leads it; -1 while there is none. */
  leader: number
  /** The offset to read next. */
  position: number
  /** False once it was taken from us: what is still in work for it does not count. */
  active = true
  /** True while it is being given up: nothing more of it is handed out, and what is in work still counts. */
  leaving = false
  /** How many of its messages are handed out and unfinished. */
  inWork = 0
  /** The offset behind the last message, as the broker last said; -1 until it has. */
  end = -1
  /** The offset that may be confirmed: everything before it is finished. */
  finished: number
  /** The offset that was confirmed last; -1 for none. */
  confirmed = -1
  readonly #open = new Ring<Item>()

  constructor(topic: string, index: number, leader: number, position: number) {
    this.topic = topic
    this.index = index
    this.leader = leader
    this.position = position
    this.finished = position
  }

  /** Whether there is something to confirm. */
  get dirty(): boolean {
    return this.active && this.finished > this.confirmed
  }

  /** A message was fetched. */
  add(item: Item): void {
    this.#open.push(item)
  }

  /** How many fetched messages are not finished. */
  get open(): number {
    return this.#open.length
  }

  /** Something was finished: the prefix may have grown. */
  advance(): void {
    let last: Item | undefined
    for (let next = this.#open.peek(); next?.finished === true; next = this.#open.peek()) {
      last = this.#open.shift()
    }
    if (this.#open.length === 0) this.finished = this.position
    else if (last !== undefined) this.finished = last.offset + 1
  }

  /** Reads on at another offset; what is open stays as it is. */
  moveTo(position: number): void {
    this.position = position
    if (this.#open.length === 0) this.finished = position
  }
}
