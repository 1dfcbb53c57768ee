/** A value of a field table, as far as it is of use here; what is of no use is `undefined`. */
export type FieldValue = string | number | boolean | FieldTable | undefined
/** A field table: names and values. */
export interface FieldTable {
  readonly [name: string]: FieldValue
}

/** Sets a value under a name that a peer chose: `__proto__` stays a name. */
export function setOwn<T>(target: Record<string, T>, name: string, value: T): void {
  if (name === '__proto__') {
    Object.defineProperty(target, name, { value, enumerable: true, configurable: true, writable: true })
  } else {
    target[name] = value
  }
}

/** Reads fields one after another. Reading beyond the end throws. */
export class Cursor {
  readonly #bytes: Buffer
  readonly #end: number
  #at: number

  /** Reads `bytes` from `at` to before `end`. */
  constructor(bytes: Buffer, at = 0, end = bytes.length) {
    this.#bytes = bytes
    this.#at = at
    this.#end = end
  }

  /** One byte. */
  u8(): number {
    return this.#bytes.readUInt8(this.#skip(1))
  }

  /** Two bytes. */
  u16(): number {
    return this.#bytes.readUInt16BE(this.#skip(2))
  }

  /** Four bytes. */
  u32(): number {
    return this.#bytes.readUInt32BE(this.#skip(4))
  }

  /** Eight bytes; exact up to 2 to the power of 53. */
  u64(): number {
    return this.u32() * 0x1_0000_0000 + this.u32()
  }

  /** Text of at most 255 bytes. */
  shortText(): string {
    return this.#text(this.u8())
  }

  /** Goes past text of at most 255 bytes. */
  skipShortText(): void {
    this.#skip(this.u8())
  }

  /** Text of any length. */
  longText(): string {
    return this.#text(this.u32())
  }

  /** A field table. */
  table(): FieldTable {
    const size = this.u32()
    const end = this.#skip(size) + size
    return new Cursor(this.#bytes, end - size, end).#fields()
  }

  #fields(): FieldTable {
    const table: Record<string, FieldValue> = {}
    while (this.#at < this.#end) {
      const name = this.shortText()
      const value = this.#value()
      if (value !== undefined) setOwn(table, name, value)
    }
    return table
  }

  /** Reads a value by its tag, in RabbitMQ's reading of them (which differs from the specification's). */
  #value(): FieldValue {
    const bytes = this.#bytes
    const tag = String.fromCharCode(this.u8())
    switch (tag) {
      case 'S':
        return this.longText()
      case 't':
        return this.u8() !== 0
      case 'b':
        return bytes.readInt8(this.#skip(1))
      case 'B':
        return this.u8()
      case 's':
        return bytes.readInt16BE(this.#skip(2))
      case 'u':
        return this.u16()
      case 'I':
        return bytes.readInt32BE(this.#skip(4))
      case 'i':
        return this.u32()
      case 'l':
        return Number(bytes.readBigInt64BE(this.#skip(8)))
      case 'T':
        return this.u64()
      case 'f':
        return bytes.readFloatBE(this.#skip(4))
      case 'd':
        return bytes.readDoubleBE(this.#skip(8))
      case 'F':
        return this.table()
      default:
        this.#skipValue(tag)
        return undefined
    }
  }

  #skipValue(tag: string): void {
    if (tag === 'V') return
    if (tag === 'D') this.#skip(5)
    else if (tag === 'x' || tag === 'A') this.#skip(this.u32())
    else throw new RangeError(`a field of the unknown kind "${tag}"`)
  }

  #text(length: number): string {
    const at = this.#skip(length)
    return this.#bytes.toString('utf8', at, at + length)
  }

  /** Goes on by `count` bytes and gives where they begin. */
  #skip(count: number): number {
    const at = this.#at
    if (at + count > this.#end) throw new RangeError('a field that goes beyond its frame')
    this.#at = at + count
    return at
  }
}
