import type { Entry } from './entry.ts'

/** How many messages may stand aside at once; more wait in the store. */
const MAX_ASIDE = 1024

interface Unit {
  /** The only entry of the unit that may be on its way. */
  turn: Entry
  readonly waiting: Entry[]
}

/**
 * One message in flight per ordering unit (topic and key), for links that cannot keep order when one of several fails.
 * Entries whose unit is busy stand aside, in order, so that other units go on.
 */
export class OrderingUnits {
  readonly #units = new Map<string, Unit>()
  #aside = 0

  /** Whether the store may be read on: what stands aside is bounded. */
  get hasRoom(): boolean {
    return this.#aside < MAX_ASIDE
  }

  /** Whether another entry of its unit goes first. */
  mustWait(entry: Entry): boolean {
    const unit = this.#units.get(nameOf(entry))
    return unit !== undefined && unit.turn !== entry
  }

  /** It is this entry's turn, until `end()`. */
  begin(entry: Entry): void {
    const name = nameOf(entry)
    if (!this.#units.has(name)) this.#units.set(name, { turn: entry, waiting: [] })
  }

  /** Puts an entry that must wait behind the others of its unit. */
  setAside(entry: Entry): void {
    this.#units.get(nameOf(entry))?.waiting.push(entry)
    this.#aside += 1
  }

  /** The turn of an entry is over. Gives the one whose turn it is now, if one stood aside. */
  end(entry: Entry): Entry | undefined {
    const name = nameOf(entry)
    const unit = this.#units.get(name)
    if (unit === undefined || unit.turn !== entry) return undefined
    const next = unit.waiting.shift()
    if (next === undefined) {
      this.#units.delete(name)
    } else {
      this.#aside -= 1
      unit.turn = next
    }
    return next
  }

  /** Gives up all turns. Gives everything that stood aside. */
  clear(): Entry[] {
    const aside = [...this.#units.values()].flatMap(({ waiting }) => waiting)
    this.#units.clear()
    this.#aside = 0
    return aside
  }
}

function nameOf({ message: { topic, key } }: Entry): string {
  return key === undefined ? topic : `${topic}\0${key}`
}
