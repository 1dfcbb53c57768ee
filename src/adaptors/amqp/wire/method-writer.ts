import { FRAME, FRAME_END, FRAME_OVERHEAD } from './protocol.ts'

/** Values of a field table that are written here. */
export type WritableTable = Readonly<
  Record<string, string | number | boolean | { readonly [name: string]: boolean }>
>

/** Writes the frame of one method, field by field. For what is rare: messages have their own way. */
export class MethodWriter {
  readonly #parts: Buffer[] = []

  /** @param method - its id */
  constructor(channel: number, method: number) {
    const head = Buffer.alloc(11)
    head[0] = FRAME.method
    head.writeUInt16BE(channel, 1)
    head.writeUInt32BE(method, 7)
    this.#parts.push(head)
  }

  /** One byte. */
  u8(value: number): this {
    this.#parts.push(Buffer.of(value))
    return this
  }

  /** Flags, the first one in the lowest bit. */
  bits(...flags: readonly boolean[]): this {
    return this.u8(flags.reduce((byte, flag, index) => (flag ? byte | (1 << index) : byte), 0))
  }

  /** Two bytes. */
  u16(value: number): this {
    const bytes = Buffer.alloc(2)
    bytes.writeUInt16BE(value)
    this.#parts.push(bytes)
    return this
  }

  /** Four bytes. */
  u32(value: number): this {
    const bytes = Buffer.alloc(4)
    bytes.writeUInt32BE(value)
    this.#parts.push(bytes)
    return this
  }

  /** Text of at most 255 bytes. */
  shortText(text: string): this {
    const bytes = Buffer.from(text)
    if (bytes.length > 255) throw new RangeError('a name is longer than 255 bytes')
    this.u8(bytes.length)
    this.#parts.push(bytes)
    return this
  }

  /** Text of any length. */
  longText(text: string): this {
    const bytes = Buffer.from(text)
    this.u32(bytes.length)
    this.#parts.push(bytes)
    return this
  }

  /** A field table. */
  table(table: WritableTable): this {
    const before = this.#parts.length
    this.#fields(table)
    const fields = this.#parts.splice(before)
    this.u32(fields.reduce((sum, { length }) => sum + length, 0))
    this.#parts.push(...fields)
    return this
  }

  /** The whole frame. */
  frame(): Buffer {
    this.#parts.push(Buffer.of(FRAME_END))
    const frame = Buffer.concat(this.#parts)
    frame.writeUInt32BE(frame.length - FRAME_OVERHEAD, 3)
    return frame
  }

  #fields(table: WritableTable): void {
    for (const [name, value] of Object.entries(table)) {
      this.shortText(name)
      if (typeof value === 'string') this.#tag('S').longText(value)
      else if (typeof value === 'boolean') this.#tag('t').bits(value)
      else if (typeof value === 'number') this.#tag('i').u32(value)
      else this.#tag('F').table(value)
    }
  }

  #tag(tag: string): this {
    return this.u8(tag.charCodeAt(0))
  }
}
