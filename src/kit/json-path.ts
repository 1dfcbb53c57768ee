/*
 * Finds the text at a dotted path of a JSON document in one pass over its bytes. No object is built; a value that is passed over costs
 * about a comparison a byte, a long text less, and depth costs nothing. Of a name that is given twice the last one counts, as for JSON.parse().
 * Bytes that are no JSON have some text or none, never an error.
 */

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c
const COLON = 0x3a
const OPEN_LIST = 0x5b
const CLOSE_LIST = 0x5d
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d
const SPACE = 0x20
/** Texts end within so many bytes, mostly; behind that a search of the engine's own is faster than a loop. */
const NEAR = 32

/**
 * Makes a function that finds the text at a path such as `sensor.id` in the bytes of a JSON object: `undefined` where it is missing, or
 * is no text. Lists are not entered.
 */
export function createJsonPath(path: string): (json: Uint8Array) => string | undefined {
  const finder = new PathFinder(path.split('.').map((name) => Buffer.from(name)))
  return (json) => finder.find(json)
}

class PathFinder {
  readonly #names: readonly Buffer[]
  #json: Buffer = NOTHING
  #at = 0

  constructor(names: readonly Buffer[]) {
    this.#names = names
  }

  find(json: Uint8Array): string | undefined {
    this.#json = Buffer.isBuffer(json) ? json : Buffer.from(json.buffer, json.byteOffset, json.byteLength)
    this.#at = 0
    this.#skipBlanks()
    const found = this.#value(0)
    this.#json = NOTHING
    return found
  }

  /** The text for the names from `level` on, in the value that begins here; ends behind it. */
  #value(level: number): string | undefined {
    const name = this.#names[level]
    const first = this.#json[this.#at]
    if (name === undefined) return first === QUOTE ? this.#text() : this.#skipValue()
    if (first !== OPEN_OBJECT) return this.#skipValue()
    let found: string | undefined
    this.#at += 1
    for (;;) {
      this.#skipBlanks()
      const next = this.#json[this.#at]
      if (next === COMMA) {
        this.#at += 1
        continue
      }
      if (next !== QUOTE) {
        if (next === CLOSE_OBJECT) this.#at += 1
        else this.#at = this.#json.length
        return found
      }
      const isWanted = this.#isName(name)
      this.#skipBlanks()
      if (this.#json[this.#at] === COLON) this.#at += 1
      this.#skipBlanks()
      if (isWanted) found = this.#value(level + 1)
      else this.#skipValue()
    }
  }

  /** Whether the text that begins here is this name; ends behind it. */
  #isName(name: Buffer): boolean {
    const json = this.#json
    const start = this.#at + 1
    this.#skipText()
    const end = this.#at - 1
    if (this.#hasEscape(start, end)) return unescaped(json, start, end) === name.toString()
    if (end - start !== name.length) return false
    for (let index = 0; index < name.length; index += 1) {
      if (json[start + index] !== name[index]) return false
    }
    return true
  }

  #text(): string | undefined {
    const start = this.#at + 1
    this.#skipText()
    const end = this.#at - 1
    const json = this.#json
    return this.#hasEscape(start, end) ? unescaped(json, start, end) : json.toString('utf8', start, end)
  }

  /** Goes behind the text that begins here. */
  #skipText(): void {
    this.#at = textEnd(this.#json, this.#at + 1) + 1
  }

  #hasEscape(start: number, end: number): boolean {
    for (let at = start; at < end; at += 1) if (this.#json[at] === BACKSLASH) return true
    return false
  }

  /** Goes behind the value that begins here. */
  #skipValue(): undefined {
    const json = this.#json
    let at = this.#at
    let depth = 0
    for (let byte = json[at]; byte !== undefined; byte = json[at]) {
      if (byte === QUOTE) {
        at = textEnd(json, at + 1)
        if (depth === 0) {
          at += 1
          break
        }
      } else if (byte === OPEN_OBJECT || byte === OPEN_LIST) {
        depth += 1
      } else if (byte === CLOSE_OBJECT || byte === CLOSE_LIST) {
        // the end of what this value is in is not its own
        if (depth === 0) break
        depth -= 1
        if (depth === 0) {
          at += 1
          break
        }
      } else if (depth === 0 && (byte === COMMA || byte <= SPACE)) {
        break
      }
      at += 1
    }
    this.#at = at
  }

  #skipBlanks(): void {
    const json = this.#json
    let at = this.#at
    for (let byte = json[at]; byte !== undefined && byte <= SPACE; byte = json[at]) at += 1
    this.#at = at
  }
}

const NOTHING = Buffer.alloc(0)

/** Where the text ends whose first byte is at `start`: its closing quote, or the end of the document. */
function textEnd(json: Buffer, start: number): number {
  let at = start
  for (const near = start + NEAR; at < near;) {
    const byte = json[at]
    if (byte === QUOTE || byte === undefined) return at
    at += byte === BACKSLASH ? 2 : 1
  }
  for (let end = json.indexOf(QUOTE, at); end >= 0; end = json.indexOf(QUOTE, end + 1)) {
    let escapes = 0
    while (end - escapes > at && json[end - escapes - 1] === BACKSLASH) escapes += 1
    if (escapes % 2 === 0) return end
  }
  return json.length
}

function unescaped(json: Buffer, start: number, end: number): string | undefined {
  try {
    return String(JSON.parse(`"${json.toString('utf8', start, end)}"`))
  } catch {
    return undefined
  }
}
