/** How lines are cut. */
export interface LineLimits {
  /** The longest line in bytes, without its end. */
  readonly maxBytes: number
  /** Called once for each line that is longer; the line itself is skipped. */
  readonly tooLong: () => void
}

const NEWLINE = 0x0a
const RETURN = 0x0d

/**
 * Cuts a stream of bytes into lines, whatever the chunks are: `push` each chunk, `end` once. A line ends with LF or
 * CR LF, which are taken off; bytes after the last end are a line too. Holds at most one line of `maxBytes`.
 */
export class LineSplitter {
  readonly #limits: LineLimits
  /** The beginning of a line that a later chunk goes on with: the first `#size` bytes. */
  #carry = new Uint8Array(0)
  #size = 0
  #skipping = false

  constructor(limits: LineLimits) {
    this.#limits = limits
  }

  /** Takes a chunk and gives the lines that it completes; they may share the chunk's memory. */
  push(chunk: Uint8Array): Uint8Array[] {
    const lines: Uint8Array[] = []
    let start = 0
    for (let at = chunk.indexOf(NEWLINE); at >= 0; at = chunk.indexOf(NEWLINE, start)) {
      this.#finish(chunk.subarray(start, at), lines)
      start = at + 1
    }
    if (start < chunk.length) this.#keep(chunk.subarray(start))
    return lines
  }

  /** Gives what was left without an end of line, if anything. */
  end(): Uint8Array[] {
    const lines: Uint8Array[] = []
    if (this.#size > 0 || this.#skipping) this.#finish(new Uint8Array(0), lines)
    return lines
  }

  #keep(part: Uint8Array): void {
    if (this.#skipping) return
    const size = this.#size + part.length
    // one byte more than the limit, since the last one may turn out to be the CR of a CR LF
    if (size > this.#limits.maxBytes + 1) {
      this.#skipping = true
      this.#carry = new Uint8Array(0)
      this.#size = 0
      this.#limits.tooLong()
      return
    }
    if (size > this.#carry.length) {
      const larger = new Uint8Array(Math.max(size, this.#carry.length * 2))
      larger.set(this.#carry.subarray(0, this.#size))
      this.#carry = larger
    }
    this.#carry.set(part, this.#size)
    this.#size = size
  }

  #finish(part: Uint8Array, lines: Uint8Array[]): void {
    const line = this.#complete(part)
    if (this.#skipping) this.#skipping = false
    else if (line.length > this.#limits.maxBytes) this.#limits.tooLong()
    else lines.push(line)
  }

  #complete(part: Uint8Array): Uint8Array {
    let line = part
    if (this.#size > 0) {
      this.#keep(part)
      line = this.#carry.subarray(0, this.#size)
      // the line keeps that memory, so the next one gets its own
      this.#carry = new Uint8Array(0)
      this.#size = 0
    }
    return line.at(-1) === RETURN ? line.subarray(0, -1) : line
  }
}
