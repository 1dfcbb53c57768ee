/**
 * The static properties of DeepStream's message converter (`msg-conv-config`): sensors, places and analytics modules by
 * number, from a key file, YAML or CSV, as the name of the file tells.
 */
import { readFileSync } from 'node:fs'

import type {
  AnalyticsProperties,
  PlaceProperties,
  SensorProperties,
  StaticProperties,
} from '../../contract/index.ts'
import { BackhaulError } from '../../contract/index.ts'
import type { KeyEntry, KeyGroup, Reading } from '../../kit/key-file.ts'
import { booleanOf, numbersOf, textOf } from '../../kit/key-file.ts'
import { suggestion } from '../../kit/nearest.ts'
import type { Problem } from '../problem.ts'
import { configError, formatProblem } from '../problem.ts'
import { unreadable } from '../references.ts'
import { readSettings } from './settings.ts'

/** What a file of static properties says. */
export interface PropertiesResult {
  /** The properties, as far as they could be read. */
  readonly properties: StaticProperties
  /** What is wrong; an error keeps the original's converter from starting. */
  readonly problems: readonly Problem[]
}

const KEYS = {
  sensor: ['enable', 'id', 'type', 'description', 'location', 'coordinate'],
  place: [
    'enable',
    'id',
    'type',
    'name',
    'location',
    'coordinate',
    'place-sub-field1',
    'place-sub-field2',
    'place-sub-field3',
  ],
  analytics: ['enable', 'id', 'source', 'description', 'version'],
} as const
type Kind = keyof typeof KEYS
const KINDS: readonly Kind[] = ['sensor', 'place', 'analytics']

const NOWHERE = { lat: 0, lon: 0, alt: 0 }
const ORIGIN = { x: 0, y: 0, z: 0 }

/**
 * Reads a file of static properties.
 *
 * @throws BackhaulError `FILE_UNREADABLE`; `INVALID_CONFIG` with every error in it.
 */
export function loadProperties(path: string): StaticProperties {
  let bytes: Uint8Array
  try {
    bytes = readFileSync(path)
  } catch (cause) {
    throw new BackhaulError(
      'FILE_UNREADABLE',
      `Cannot read "${path}": the file ${unreadable(cause, path)}`,
      cause,
    )
  }
  const { properties, problems } = readProperties(path, bytes)
  const errors = problems.filter(({ severity }) => severity === 'error')
  if (errors.length > 0) throw configError(path, errors)
  return properties
}

/** Every error of a file of static properties, a line each. */
export function propertyFaults(path: string): string[] {
  const { problems } = readProperties(path, readFileSync(path))
  return problems
    .filter(({ severity }) => severity === 'error')
    .map((problem) => formatProblem(path, problem))
}

/** Reads the bytes of a file of static properties; its name tells the grammar. Never throws. */
export function readProperties(name: string, bytes: Uint8Array): PropertiesResult {
  return /\.csv$/i.test(name) ? readCsv(bytes) : new PropertiesReader().read(name, bytes)
}

class PropertiesReader {
  readonly #sensors = new Map<number, SensorProperties>()
  readonly #places = new Map<number, PlaceProperties>()
  readonly #analytics = new Map<number, AnalyticsProperties>()
  readonly #problems: Problem[] = []

  read(name: string, bytes: Uint8Array): PropertiesResult {
    const { groups, faults } = readSettings(name, bytes)
    for (const { text, ...at } of faults) this.#add(at, text)
    for (const group of groups.values()) this.#group(group)
    const properties = { sensors: this.#sensors, places: this.#places, analytics: this.#analytics }
    return { properties, problems: this.#problems }
  }

  #group(group: KeyGroup): void {
    const kind = KINDS.find((known) => group.name.startsWith(known))
    if (kind === undefined) {
      if (group.name === 'ds3d::datamap') return
      const text = `the group [${group.name}] is unknown and has no effect${suggestion(group.name, KINDS)}`
      this.#add(group, text, 'warning')
      return
    }
    const number = /^\s*\+?(\d{1,9})/.exec(group.name.slice(kind.length))?.[1]
    if (number === undefined) {
      this.#add(group, `the group [${group.name}] has no number, write for example [${kind}0]`)
      return
    }
    this.#numbered(group, kind, Number(number))
  }

  #numbered(group: KeyGroup, kind: Kind, number: number): void {
    const known: ReadonlyMap<number, unknown> = {
      sensor: this.#sensors,
      place: this.#places,
      analytics: this.#analytics,
    }[kind]
    if (known.has(number)) {
      this.#add(group, `the number of [${group.name}] is given twice, choose another`)
      return
    }
    const enable = group.entries.get('enable')
    if (enable === undefined || this.#value(group, enable, booleanOf) !== true) return
    for (const entry of group.entries.values()) {
      if (KEYS[kind].some((key) => key === entry.key)) continue
      const text = `"${entry.key}" is unknown in [${group.name}] and has no effect${suggestion(entry.key, KEYS[kind])}`
      this.#add(entry, text, 'warning')
    }
    const text = (key: string) => this.#text(group, key)
    if (kind === 'sensor') this.#sensors.set(number, this.#sensor(group))
    else if (kind === 'place') this.#places.set(number, this.#place(group))
    else {
      const module = {
        id: text('id'),
        description: text('description'),
        source: text('source'),
        version: text('version'),
      }
      this.#analytics.set(number, module)
    }
  }

  #sensor(group: KeyGroup): SensorProperties {
    return {
      id: this.#text(group, 'id'),
      type: this.#text(group, 'type'),
      description: this.#text(group, 'description'),
      ...this.#where(group),
    }
  }

  #place(group: KeyGroup): PlaceProperties {
    const field = (number: number) => this.#text(group, `place-sub-field${number}`)
    return {
      id: this.#text(group, 'id'),
      type: this.#text(group, 'type'),
      name: this.#text(group, 'name'),
      ...this.#where(group),
      subFields: [field(1), field(2), field(3)],
    }
  }

  #where(group: KeyGroup): Pick<SensorProperties, 'location' | 'coordinate'> {
    const location = this.#triple(group, 'location', 'lat;lon;alt')
    const coordinate = this.#triple(group, 'coordinate', 'x;y;z')
    return {
      location: location === undefined ? NOWHERE : { lat: location[0], lon: location[1], alt: location[2] },
      coordinate:
        coordinate === undefined ? ORIGIN : { x: coordinate[0], y: coordinate[1], z: coordinate[2] },
    }
  }

  #triple(group: KeyGroup, key: string, form: string): readonly [number, number, number] | undefined {
    const entry = group.entries.get(key)
    const values = entry && this.#value(group, entry, numbersOf)
    if (entry === undefined || values === undefined) return undefined
    const [first, second, third] = values
    if (first !== undefined && second !== undefined && third !== undefined && values.length === 3) {
      return [first, second, third]
    }
    const column = { line: entry.line, column: entry.valueColumn }
    this.#add(column, `"${key}" of [${group.name}] has ${values.length} numbers, write ${form}`)
    return undefined
  }

  #text(group: KeyGroup, key: string): string {
    const entry = group.entries.get(key)
    return entry === undefined ? '' : (this.#value(group, entry, textOf) ?? '')
  }

  #value<T>(group: KeyGroup, entry: KeyEntry, read: (entry: KeyEntry) => Reading<T>): T | undefined {
    const reading = read(entry)
    if ('value' in reading) return reading.value
    this.#add(
      { line: entry.line, column: entry.valueColumn },
      `"${entry.key}" of [${group.name}] ${reading.fault}`,
    )
    return undefined
  }

  #add(at: { line: number; column: number }, message: string, severity: Problem['severity'] = 'error'): void {
    const { line, column } = at
    this.#problems.push({
      line,
      column,
      severity,
      code: 'INVALID_CONFIG',
      path: '',
      message,
      suggestion: undefined,
    })
  }
}

/** The columns that a row needs: it is numbered by its place, the first one below the head is 0. */
const CSV_COLUMNS = 7
const CSV_MAX_COLUMNS = 10

function readCsv(bytes: Uint8Array): PropertiesResult {
  const sensors = new Map<number, SensorProperties>()
  const places = new Map<number, PlaceProperties>()
  const analytics = new Map<number, AnalyticsProperties>()
  const problems: Problem[] = []
  const lines = new TextDecoder().decode(bytes).split('\n')
  if (lines.at(-1) === '') lines.pop()
  for (const [row, line] of lines.slice(1).entries()) {
    const columns = line
      .split(',')
      .slice(0, CSV_MAX_COLUMNS)
      .map((column) => column.trim())
    const [, id = '', description = '', , first = '', second = '', third = ''] = columns
    if (columns.length < CSV_COLUMNS) {
      const message = `the row has ${columns.length} columns, give it ${CSV_COLUMNS}`
      problems.push({
        line: row + 2,
        column: 1,
        severity: 'error',
        code: 'INVALID_CONFIG',
        path: '',
        message,
        suggestion: undefined,
      })
      continue
    }
    const where = { location: NOWHERE, coordinate: ORIGIN }
    sensors.set(row, { id, type: 'Camera', description, ...where })
    const subFields = [first, second, third] as const
    places.set(row, { id: 'Id', type: 'building/garage', name: 'endeavor', ...where, subFields })
    analytics.set(row, { id: '', description: '', source: '', version: '1.0' })
  }
  return { properties: { sensors, places, analytics }, problems }
}
