import type { LineLimits } from './lines.ts'
import { LineSplitter } from './lines.ts'

const QUOTE = 0x22
const BACKSLASH = 0x5c
const OPEN = 0x7b
const CLOSE = 0x7d
const BLANKS: readonly number[] = [0x20, 0x09]

/**
 * Cuts a stream of bytes into JSON objects, each on a line of its own or spread over many: as {@link LineSplitter}, but that lines are
 * joined until the braces of an object are even. What is no object stays a line, for whoever reads it to object to.
 *
 * A line that begins with "{" in its first column always begins an object: after a broken one, which is given as far as it came,
 * the next whole one is found. Holds at most one object of `maxBytes`.
 */
export class ObjectSplitter {
  readonly #lines: LineSplitter
  readonly #limits: LineLimits
  /** The lines of an object that is not closed yet. */
  #parts: Uint8Array[] = []
  #size = 0
  #depth = 0
  /** The object was too long: its rest is passed over. */
  #skipping = false

  constructor(limits: LineLimits) {
    this.#limits = limits
    this.#lines = new LineSplitter(limits)
  }

  /** Takes a chunk and gives the objects and lines that it completes. */
  push(chunk: Uint8Array): Uint8Array[] {
    return this.#join(this.#lines.push(chunk))
  }

  /** Gives what was left, if anything. */
  end(): Uint8Array[] {
    const found = this.#join(this.#lines.end())
    this.#finish(found)
    return found
  }

  #join(lines: readonly Uint8Array[]): Uint8Array[] {
    const found: Uint8Array[] = []
    for (const line of lines) {
      if (line[0] === OPEN) this.#finish(found)
      if (this.#depth === 0 && !beginsObject(line)) found.push(line)
      else this.#take(line, found)
    }
    return found
  }

  #take(line: Uint8Array, found: Uint8Array[]): void {
    this.#scan(line)
    if (this.#depth === 0 && this.#parts.length === 0 && !this.#skipping) {
      found.push(line)
      return
    }
    this.#size += line.length + 1
    if (!this.#skipping && this.#size - 1 > this.#limits.maxBytes) {
      this.#skipping = true
      this.#parts = []
      this.#limits.tooLong()
    }
    if (!this.#skipping) this.#parts.push(line)
    if (this.#depth === 0) this.#finish(found)
  }

  /** Gives the object that is open, whole or not. */
  #finish(found: Uint8Array[]): void {
    if (this.#parts.length > 0) found.push(joined(this.#parts, this.#size - 1))
    this.#parts = []
    this.#size = 0
    this.#depth = 0
    this.#skipping = false
  }

  #scan(line: Uint8Array): void {
    // a text of JSON ends on its line
    let inText = false
    for (let at = 0; at < line.length; at += 1) {
      const byte = line[at]
      if (inText && byte === BACKSLASH) at += 1
      else if (byte === QUOTE) inText = !inText
      else if (inText) continue
      else if (byte === OPEN) this.#depth += 1
      else if (byte === CLOSE && this.#depth > 0) this.#depth -= 1
    }
  }
}

function beginsObject(line: Uint8Array): boolean {
  let at = 0
  while (BLANKS.includes(line[at] ?? 0)) at += 1
  return line[at] === OPEN
}

function joined(parts: readonly Uint8Array[], size: number): Uint8Array {
  const all = new Uint8Array(size).fill(0x0a)
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length + 1
  }
  return all
}
