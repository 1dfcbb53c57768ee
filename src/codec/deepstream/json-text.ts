import type { JsonLayout } from '../options.ts'
import { formatDouble } from './number-format.ts'

const LEVELS = 16
const INDENTS = Array.from({ length: LEVELS }, (_, level) => '  '.repeat(level))
const NEW_LINES = INDENTS.map((indent) => `\n${indent}`)

/**
 * Writes JSON member by member, in the order of the calls, as json-glib does: two blanks a level, ` : ` after a name, an
 * empty object as braces with the blanks of its level between them, an empty list as `[]`.
 *
 * JSON.stringify() can do neither this layout nor a double such as `1.0`.
 */
export class JsonText {
  #text = ''
  #level: number
  #isEmpty: boolean
  readonly #indented: boolean
  readonly #colon: string

  /**
   * Begins with nothing; or within something, where members come before.
   *
   * @param level - how many objects and lists are open
   */
  constructor(layout: JsonLayout, level = 0) {
    this.#indented = layout === 'indented'
    this.#colon = this.#indented ? '" : ' : '":'
    this.#level = level
    this.#isEmpty = level === 0
  }

  /** What was written so far. */
  get text(): string {
    return this.#text
  }

  /** Begins a member of an object. Its name is one that needs no escapes. */
  name(name: string): this {
    this.#next()
    this.#text += `"${name}${this.#colon}`
    return this
  }

  /** Begins a member of any name. */
  anyName(name: string): this {
    return this.name(quote(name).slice(1, -1))
  }

  /** Writes members that were written before, at the same level. */
  members(text: string): this {
    this.#text += text
    this.#isEmpty = false
    return this
  }

  /** Begins an item of a list. */
  item(): this {
    this.#next()
    return this
  }

  /** Begins an object. */
  open(bracket: '{' | '[' = '{'): this {
    this.#text += bracket
    this.#level += 1
    this.#isEmpty = true
    return this
  }

  /** Ends an object. */
  close(): this {
    this.#level -= 1
    if (this.#indented) this.#text += (this.#isEmpty ? INDENTS : NEW_LINES)[this.#level] ?? ''
    this.#text += '}'
    this.#isEmpty = false
    return this
  }

  /** Ends a list. */
  closeList(): this {
    this.#level -= 1
    if (this.#indented && !this.#isEmpty) this.#text += NEW_LINES[this.#level] ?? ''
    this.#text += ']'
    this.#isEmpty = false
    return this
  }

  /** Writes a member with text. */
  string(name: string, value: string): this {
    this.name(name).#text += quote(value)
    return this
  }

  /** Writes text where a value is wanted. */
  value(text: string): this {
    this.#text += quote(text)
    return this
  }

  /** Writes a member with a number that is a double in C. */
  double(name: string, value: number): this {
    this.name(name).#text += formatDouble(value)
    return this
  }

  /** Writes a member with a whole number. */
  integer(name: string, value: number): this {
    this.name(name).#text += String(Math.trunc(value) + 0)
    return this
  }

  /** Writes a member with nothing. */
  null(name: string): this {
    this.name(name).#text += 'null'
    return this
  }

  /** Writes a member with a list of doubles. */
  doubles(name: string, values: readonly number[]): this {
    this.name(name)
    return this.doubleList(values)
  }

  /** Writes a list of doubles where a value is wanted. */
  doubleList(values: readonly number[]): this {
    this.open('[')
    for (const value of values) this.item().#text += formatDouble(value)
    return this.closeList()
  }

  /** Writes a member with a list of texts. */
  strings(name: string, values: readonly string[]): this {
    this.name(name).open('[')
    for (const value of values) this.item().#text += quote(value)
    return this.closeList()
  }

  #next(): void {
    if (!this.#isEmpty) this.#text += ','
    if (this.#indented) this.#text += NEW_LINES[this.#level] ?? ''
    this.#isEmpty = false
  }
}

/** Text in quotes, with the escapes of json-glib: those of JSON.stringify(), and DEL. */
function quote(text: string): string {
  // the usual case needs no escape and no call into the engine
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  if (/^[^"\\\u0000-\u001f\u007f\ud800-\udfff]*$/.test(text)) return `"${text}"`
  return JSON.stringify(text).replaceAll('\u007f', '\\u007f')
}
