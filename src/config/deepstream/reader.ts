import { existsSync, readFileSync, realpathSync } from 'node:fs'
import { dirname, resolve } from 'node:path'

import type { KeyEntry, KeyFile, KeyGroup, Reading } from '../../kit/key-file.ts'
import { integerOf, listOf, textOf } from '../../kit/key-file.ts'
import type { Position, Problem } from '../problem.ts'
import { unreadable } from '../references.ts'
import { isYamlName, readSettings } from './settings.ts'

/** What is read of a configuration file of DeepStream, and where it stands. */
export class SettingsReader {
  /** Whether it is YAML. */
  readonly isYaml: boolean
  /** Its groups. */
  readonly file: KeyFile
  /** What is wrong so far. */
  readonly problems: Problem[] = []
  readonly #folder: string
  readonly #workingFolder: string

  /** Reads the bytes of the file; its name tells the grammar. */
  constructor(name: string, bytes: Uint8Array, workingFolder: string) {
    this.isYaml = isYamlName(name)
    this.file = readSettings(name, bytes)
    this.#folder = realFolder(name)
    this.#workingFolder = workingFolder
    for (const { text, ...at } of this.file.faults) this.add(at, text)
    for (const entry of this.file.overruled) {
      this.warn(entry, `"${entry.key}" has no effect: it is given again below`)
    }
  }

  /** Notes an error. */
  add(
    at: Position,
    message: string,
    facts: Partial<Pick<Problem, 'severity' | 'suggestion' | 'code'>> = {},
  ): void {
    const { line, column } = at
    const { severity = 'error', suggestion, code = 'INVALID_CONFIG' } = facts
    this.problems.push({ line, column, severity, code, path: '', message, suggestion })
  }

  /** Notes a warning. */
  warn(at: Position, message: string): void {
    this.add(at, message, { severity: 'warning' })
  }

  /** A text with the blanks around it removed; `undefined` where it is empty, wrong or not there. */
  text(group: KeyGroup, key: string): string | undefined {
    const text = this.#value(group, key, textOf)?.trim()
    return text === '' ? undefined : text
  }

  /** A whole number. */
  integer(group: KeyGroup, key: string): number | undefined {
    return this.#value(group, key, integerOf)
  }

  /** A list; blanks around its elements are removed, and empty ones left out. */
  list(group: KeyGroup, key: string): string[] {
    const items = this.#value(group, key, listOf) ?? []
    return items.map((item) => item.trim()).filter((item) => item !== '')
  }

  /** Whether a number is there and is not 0, as the application of the original asks it. */
  flag(group: KeyGroup, key: string): boolean {
    const entry = group.entries.get(key)
    if (entry !== undefined && /^(true|false)\s*$/.test(entry.raw)) return entry.raw.startsWith('true')
    return (this.integer(group, key) ?? 0) !== 0
  }

  /** A file, by the folder of this one; where it is not there, by the folder in which the program was started. */
  path(group: KeyGroup, key: string): string | undefined {
    const text = this.text(group, key)
    if (text === undefined) return undefined
    const path = text.startsWith('file://') ? text.slice('file://'.length) : text
    const near = resolve(this.#folder, path)
    const far = resolve(this.#workingFolder, path)
    return !existsSync(near) && existsSync(far) ? far : near
  }

  /** The bytes of a file that a key names; an error where it cannot be read. */
  bytes(path: string, at: Position, key: string): Uint8Array | undefined {
    try {
      return readFileSync(path)
    } catch (error) {
      this.add(at, `"${key}" ${unreadable(error, path)}`, { code: 'FILE_UNREADABLE' })
      return undefined
    }
  }

  /** Where the value of a key stands; the head of its group where it is not there. */
  valueAt(group: KeyGroup, key: string): Position {
    const entry = group.entries.get(key)
    return entry === undefined ? group : { line: entry.line, column: entry.valueColumn }
  }

  #value<T>(group: KeyGroup, key: string, read: (entry: KeyEntry) => Reading<T>): T | undefined {
    const entry = group.entries.get(key)
    if (entry === undefined) return undefined
    const reading = read(entry)
    if ('value' in reading) return reading.value
    this.add({ line: entry.line, column: entry.valueColumn }, `"${key}" of [${group.name}] ${reading.fault}`)
    return undefined
  }
}

/** The folder of a file, behind whatever links there are. */
function realFolder(name: string): string {
  try {
    return dirname(realpathSync(name))
  } catch {
    return dirname(resolve(name))
  }
}
