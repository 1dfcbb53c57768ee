/** Text, or bytes exactly as they are. */
export type Argument = string | Uint8Array

/** Payloads of at least this many bytes are handed to the socket as they are, instead of being copied. */
const COPY_BELOW = 8192
const BLOCK_BYTES = 16_384

/**
 * Writes commands in RESP, the protocol of Redis: `*3\r\n$4\r\nXACK\r\n...`, each argument with its length in bytes.
 * Many commands become few buffers.
 */
export class CommandWriter {
  readonly #parts: Uint8Array[] = []
  #block = Buffer.alloc(0)
  #begin = 0
  #at = 0

  /** Adds a whole command. */
  command(args: readonly Argument[]): void {
    this.text(`*${args.length}\r\n`)
    for (const argument of args) this.argument(argument)
  }

  /** Adds one argument. */
  argument(argument: Argument): void {
    if (typeof argument === 'string') {
      this.text(`$${Buffer.byteLength(argument)}\r\n${argument}\r\n`)
      return
    }
    this.text(`$${argument.length}\r\n`)
    this.bytes(argument)
    this.text('\r\n')
  }

  /** Adds text that is in RESP already. */
  text(text: string): void {
    // a code unit of UTF-16 is at most three bytes of UTF-8
    this.#room(text.length * 3)
    this.#at += this.#block.write(text, this.#at)
  }

  /** Adds bytes that are in RESP already. */
  bytes(bytes: Uint8Array): void {
    if (bytes.length >= COPY_BELOW) {
      this.#cut()
      this.#parts.push(bytes)
      return
    }
    this.#room(bytes.length)
    this.#block.set(bytes, this.#at)
    this.#at += bytes.length
  }

  /** Takes everything out. */
  take(): readonly Uint8Array[] {
    this.#cut()
    return this.#parts.splice(0)
  }

  #room(bytes: number): void {
    if (this.#block.length - this.#at >= bytes) return
    this.#cut()
    this.#block = Buffer.allocUnsafe(Math.max(BLOCK_BYTES, bytes))
    this.#begin = 0
    this.#at = 0
  }

  #cut(): void {
    if (this.#at > this.#begin) this.#parts.push(this.#block.subarray(this.#begin, this.#at))
    this.#begin = this.#at
  }
}
