/*
 * Kafka's elementary types, read from and written to a Buffer: varints (zigzag for signed ones), compact strings and arrays (the
 * length plus one), tagged fields. Reading beyond the end throws a RangeError, which ends the link.
 */

/** Reads one answer from its start to its end. */
export class Cursor {
  /** What is read. */
  readonly bytes: Buffer
  /** Where the next value begins. */
  at: number

  constructor(bytes: Buffer, at = 0) {
    this.bytes = bytes
    this.at = at
  }

  /** One byte, signed. */
  int8(): number {
    const value = this.bytes.readInt8(this.at)
    this.at += 1
    return value
  }

  /** Two bytes, signed. */
  int16(): number {
    const value = this.bytes.readInt16BE(this.at)
    this.at += 2
    return value
  }

  /** Four bytes, signed. */
  int32(): number {
    const value = this.bytes.readInt32BE(this.at)
    this.at += 4
    return value
  }

  /** Eight bytes, signed, as a number: exact up to 2^53, which no offset or time reaches. */
  int64(): number {
    const value = this.bytes.readInt32BE(this.at) * 4_294_967_296 + this.bytes.readUInt32BE(this.at + 4)
    this.at += 8
    return value
  }

  /** An unsigned varint of at most 32 bits. */
  uvarint(): number {
    const { bytes } = this
    let value = 0
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = bytes[this.at]
      if (byte === undefined) throw new RangeError('the answer ends within a number')
      this.at += 1
      value += shift === 28 ? (byte & 0x7f) * 268_435_456 : (byte & 0x7f) << shift
      if (byte < 0x80) return value
    }
    throw new RangeError('a number is too long')
  }

  /** A signed varint (zigzag) of at most 32 bits. */
  varint(): number {
    const value = this.uvarint()
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2
  }

  /** Passes over a signed varint of any length. */
  skipVarint(): void {
    while ((this.bytes[this.at] ?? 0) >= 0x80) this.at += 1
    this.at += 1
  }

  /** The next `length` bytes, as a view. */
  take(length: number): Buffer {
    const end = this.at + length
    if (length < 0 || end > this.bytes.length) throw new RangeError('the answer ends within a value')
    const part = this.bytes.subarray(this.at, end)
    this.at = end
    return part
  }

  /** A compact string, or an empty one for null. */
  compactString(): string {
    const length = this.uvarint()
    return length < 2 ? '' : this.take(length - 1).toString()
  }

  /** A string with a length of two bytes. */
  string(): string {
    const length = this.int16()
    return length < 1 ? '' : this.take(length).toString()
  }

  /** The number of items of a compact array; 0 for null. */
  compactLength(): number {
    return Math.max(0, this.uvarint() - 1)
  }

  /** Passes over tagged fields. */
  skipTags(): void {
    for (let left = this.uvarint(); left > 0; left -= 1) {
      this.uvarint()
      this.take(this.uvarint())
    }
  }
}

/** How many bytes an unsigned varint takes. */
export function uvarintSize(value: number): number {
  if (value < 0x80) return 1
  if (value < 0x4000) return 2
  if (value < 0x20_0000) return 3
  return value < 0x1000_0000 ? 4 : 5
}

/** Writes an unsigned varint; gives where the next value begins. */
export function writeUvarint(bytes: Buffer, value: number, at: number): number {
  let rest = value
  let next = at
  while (rest >= 0x80) {
    bytes[next] = (rest & 0x7f) | 0x80
    rest >>>= 7
    next += 1
  }
  bytes[next] = rest
  return next + 1
}

/** How many bytes a length takes as a signed varint. */
export function varintSize(value: number): number {
  return uvarintSize(value * 2)
}

/** Writes a number that is not negative as a signed varint; gives where the next value begins. */
export function writeVarint(bytes: Buffer, value: number, at: number): number {
  return writeUvarint(bytes, value * 2, at)
}
