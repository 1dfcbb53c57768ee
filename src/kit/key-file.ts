/**
 * Key files as GLib reads them: what every `.txt` configuration of DeepStream is.
 *
 * A line is blank, a comment (its first character that is no blank is `#`), a group `[name]`, or `key=value`; any other
 * line makes the file unreadable, as does a key before the first group. Groups of one name are one group, and of a key
 * that is given twice the last value counts. A value keeps its trailing blanks and loses its leading ones; what it means
 * is found out when it is read: as text (escapes `\s \n \t \r \\`), list (`;`, and `\;` for a semicolon), whole number
 * (it may be followed by a blank and anything), truth (`true false 1 0`) or number.
 */

/** A value of a settings file, with its place. Both counts begin with 1. */
export interface KeyEntry {
  /** The key. */
  readonly key: string
  /** The value as it is written. */
  readonly raw: string
  /** Whether escapes stand for other characters; false in YAML, which has undone its own. */
  readonly escaped: boolean
  /** The line. */
  readonly line: number
  /** Where the key begins. */
  readonly column: number
  /** Where the value begins. */
  readonly valueColumn: number
}

/** A group of a settings file. */
export interface KeyGroup {
  /** Its name. */
  readonly name: string
  /** The line of its first head. */
  readonly line: number
  /** Where that begins. */
  readonly column: number
  /** Its values by key, in the order of the file. */
  readonly entries: ReadonlyMap<string, KeyEntry>
}

/** A line that makes a key file unreadable. */
export interface KeyFault {
  /** The line. */
  readonly line: number
  /** Where in it. */
  readonly column: number
  /** What is wrong and what mends it. */
  readonly text: string
}

/** A settings file, read. */
export interface KeyFile {
  /** The groups by name, in the order of the file. */
  readonly groups: ReadonlyMap<string, KeyGroup>
  /** What makes it unreadable; empty for a file that GLib would load. */
  readonly faults: readonly KeyFault[]
  /** Values that a later one of the same key takes the place of. */
  readonly overruled: readonly KeyEntry[]
}

/** A value, or why there is none. */
export type Reading<T> = { readonly value: T } | { readonly fault: string }

const BLANKS = /^[ \t\n\v\f\r]*/

/** Reads a key file. Never throws. */
export function parseKeyFile(text: string): KeyFile {
  const groups = new Map<
    string,
    { name: string; line: number; column: number; entries: Map<string, KeyEntry> }
  >()
  const faults: KeyFault[] = []
  const overruled: KeyEntry[] = []
  let group: Map<string, KeyEntry> | undefined
  for (const [index, raw] of text.split('\n').entries()) {
    const whole = raw.endsWith('\r') ? raw.slice(0, -1) : raw
    const indent = BLANKS.exec(whole)?.[0].length ?? 0
    const content = whole.slice(indent)
    const at = { line: index + 1, column: indent + 1 }
    if (content === '' || content.startsWith('#')) continue
    const name = groupName(content)
    if (name !== undefined) {
      const known = groups.get(name) ?? { name, ...at, entries: new Map<string, KeyEntry>() }
      groups.set(name, known)
      group = known.entries
      continue
    }
    const pair = keyValue(content)
    if (typeof pair === 'string') faults.push({ ...at, text: pair })
    else if (group === undefined) {
      faults.push({ ...at, text: `"${pair.key}" stands before the first group, put it under a [group]` })
    } else {
      const entry = { ...pair, ...at, escaped: true, valueColumn: at.column + pair.valueOffset }
      const earlier = group.get(pair.key)
      if (earlier !== undefined) overruled.push(earlier)
      group.set(pair.key, entry)
    }
  }
  return { groups, faults, overruled }
}

function groupName(content: string): string | undefined {
  const name = /^\[([^\]]*)\][ \t]*$/.exec(content)?.[1]
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  return name === undefined || name === '' || /[[\u0000-\u001f\u007f]/.test(name) ? undefined : name
}

function keyValue(content: string): { key: string; raw: string; valueOffset: number } | string {
  if (content.startsWith('[')) return 'the group is not written as [name], mend the brackets'
  const equals = content.indexOf('=')
  if (equals < 0) return 'the line is no group, no key=value and no comment, begin a comment with #'
  const key = content.slice(0, equals).replace(/[ \t\n\v\f\r]+$/, '')
  if (key === '') return 'the key before "=" is missing, write key=value'
  if (!/^[^=[\]]+(\[[A-Za-z0-9_.@-]*\])?$/.test(key)) return 'the key has a bracket in it, leave it out'
  const value = content.slice(equals + 1)
  const blanks = BLANKS.exec(value)?.[0].length ?? 0
  return { key, raw: value.slice(blanks), valueOffset: equals + 1 + blanks }
}

const ESCAPES: Readonly<Record<string, string>> = { s: ' ', n: '\n', t: '\t', r: '\r', '\\': '\\' }

/** A value as text. */
export function textOf({ raw, escaped }: Pick<KeyEntry, 'raw' | 'escaped'>): Reading<string> {
  if (!escaped || !raw.includes('\\')) return { value: raw }
  let value = ''
  for (let at = 0; at < raw.length; at += 1) {
    const char = raw.charAt(at)
    if (char !== '\\') value += char
    else {
      at += 1
      const meant = ESCAPES[raw.charAt(at)]
      if (meant === undefined) return { fault: badEscape(raw, at) }
      value += meant
    }
  }
  return { value }
}

/** A value as a list of texts. One separator at its end adds no element; blanks around elements stay. */
export function listOf({ raw, escaped }: Pick<KeyEntry, 'raw' | 'escaped'>): Reading<string[]> {
  const items: string[] = []
  let item = ''
  let isOpen = false
  for (let at = 0; at < raw.length; at += 1) {
    const char = raw.charAt(at)
    if (char === ';') {
      items.push(item)
      item = ''
      isOpen = false
      continue
    }
    isOpen = true
    if (char !== '\\' || !escaped) item += char
    else {
      at += 1
      const meant = raw.charAt(at) === ';' ? ';' : ESCAPES[raw.charAt(at)]
      if (meant === undefined) return { fault: badEscape(raw, at) }
      item += meant
    }
  }
  if (isOpen) items.push(item)
  return { value: items }
}

function badEscape(raw: string, at: number): string {
  return at >= raw.length
    ? 'ends with a backslash, write \\\\ for one'
    : 'has a backslash before something else than s, n, t, r or \\, write \\\\ for one'
}

/** A value as a whole number of 32 bits. */
export function integerOf({ raw }: Pick<KeyEntry, 'raw'>): Reading<number> {
  const digits = /^[ \t\n\v\f\r]*([+-]?\d+)(?:[ \t\n\v\f\r]|$)/.exec(raw)?.[1]
  const value = digits === undefined ? Number.NaN : Number(digits)
  if (Number.isNaN(value)) return { fault: 'must be a whole number' }
  if (value < -2_147_483_648 || value > 2_147_483_647) return { fault: 'must fit into 32 bits' }
  return { value }
}

/** A value as true or false. */
export function booleanOf({ raw }: Pick<KeyEntry, 'raw'>): Reading<boolean> {
  const word = raw.replace(/[ \t\n\v\f\r]+$/, '')
  if (word === 'true' || word === '1') return { value: true }
  if (word === 'false' || word === '0') return { value: false }
  return { fault: 'must be 1, 0, true or false' }
}

/** A value as a list of numbers. */
export function numbersOf(entry: Pick<KeyEntry, 'raw' | 'escaped'>): Reading<number[]> {
  const items = listOf(entry)
  if ('fault' in items) return items
  const numbers: number[] = []
  for (const item of items.value) {
    const number = /^[ \t]*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(item) ? Number(item) : Number.NaN
    if (!Number.isFinite(number)) return { fault: 'must be numbers, separated by ;' }
    numbers.push(number)
  }
  return { value: numbers }
}
