/**
 * A configuration file as text and as a tree: where every key and value stands.
 *
 * The tree is plain data without prototypes' names in it, and nothing in it stands for more than is written:
 * anchors, aliases and tags are refused, so no small file can grow. Nesting is bounded before the YAML parser sees the text,
 * because the parser recurses: twenty thousand brackets would end the process, not the call.
 */
import type { OptionProblem } from '../contract/index.ts'
import type { Position, Problem } from './problem.ts'

/** Keys and indices from the root to a place. */
export type Path = readonly PropertyKey[]

/** Where an entry stands. */
export interface Place {
  /** Its name; for an item of a list, the item. */
  readonly key: Position
  /** Its value. */
  readonly value: Position
}

const START: Position = { line: 1, column: 1 }

/** Remembers where every entry of a file stands. */
export class Places {
  readonly #places = new Map<string, Place>()

  /** Notes an entry. */
  set(path: Path, place: Place): void {
    this.#places.set(keyOf(path), place)
  }

  /** Whether there is such an entry. */
  has(path: Path): boolean {
    return this.#places.has(keyOf(path))
  }

  /** Where the entry's value stands; for one that is not there, its nearest ancestor's name. */
  value(path: Path): Position {
    return this.#places.get(keyOf(path))?.value ?? this.key(path)
  }

  /** Where the entry's name stands; for one that is not there, its nearest ancestor's. */
  key(path: Path): Position {
    for (let length = path.length; length > 0; length -= 1) {
      const place = this.#places.get(keyOf(path.slice(0, length)))
      if (place !== undefined) return place.key
    }
    return START
  }
}

/** The path as a person writes it. */
export function shownPath(path: Path): string {
  return path.map(String).join('.')
}

function keyOf(path: Path): string {
  return JSON.stringify(path.map(String))
}

/** A problem at an entry, in the words of the schema. */
export function problemAt(places: Places, { path, kind, text, nearest }: OptionProblem): Problem {
  const position = kind === 'invalid' ? places.value(path) : places.key(path)
  const shown = shownPath(path)
  return {
    ...position,
    severity: 'error',
    code: 'INVALID_CONFIG',
    path: shown,
    message: shown === '' ? `the file ${text}` : `"${shown}" ${text}`,
    suggestion: nearest,
  }
}
