import type { KeyEntry, KeyGroup } from '../../kit/key-file.ts'
import type { Path } from '../source.ts'
import { Places } from '../source.ts'
import type { SettingsReader } from './reader.ts'

/** The name of the one input of an imported configuration. */
export const INPUT_NAME = 'detections'

/** Our configuration while it grows out of one of DeepStream: a tree, and where each part of it came from. */
export class Draft {
  /** Where everything came from. */
  readonly places = new Places()
  /** In words, where a part came from. */
  readonly origins: { path: Path; text: string }[] = []
  /** Environment variables. */
  readonly env: Readonly<Record<string, string | undefined>>
  /** The folder in which the program was started. */
  readonly workingFolder: string
  /** The number of each sensor by its id. */
  readonly sensors = new Map<string, number>()
  /** Whether a frame without objects is sent with a dummy in it. */
  dummyObject = false
  readonly #input: string
  readonly #inputs: Record<string, unknown> = {}
  readonly #connections: Record<string, unknown> = {}
  readonly #routes: unknown[] = []
  readonly #commands: unknown[] = []
  #deviceId = ''

  /** Holds nothing yet. */
  constructor(surroundings: {
    readonly env: Readonly<Record<string, string | undefined>>
    readonly workingFolder: string
    readonly input?: string | undefined
  }) {
    this.env = surroundings.env
    this.workingFolder = surroundings.workingFolder
    this.#input = surroundings.input ?? 'stdin'
  }

  /** The tree. */
  get data(): Record<string, unknown> {
    return {
      version: 1,
      device: { id: this.#deviceId },
      connections: this.#connections,
      ...(this.#routes.length > 0 && { inputs: this.#inputs, routes: this.#routes }),
      ...(this.#commands.length > 0 && { commands: this.#commands }),
    }
  }

  /** Whether nothing is sent and nothing is received. */
  get isEmpty(): boolean {
    return this.#routes.length === 0 && this.#commands.length === 0
  }

  /** Names the device. */
  begin(deviceId: string): void {
    this.#deviceId = deviceId
    this.origins.push({ path: ['device'], text: "the host's name, where the file names no device" })
  }

  /** Makes the input that stands in for the sources. */
  input(reader: SettingsReader): void {
    const [, type = '', rest] = /^(stdin|unix|tcp|file)(?::(.+))?$/.exec(this.#input) ?? []
    const needs = type !== 'stdin'
    if (type === '' || needs !== (rest !== undefined)) {
      reader.add(
        { line: 1, column: 1 },
        `the input "${this.#input}" is none, write stdin, unix:PATH, tcp:PORT or file:PATH`,
      )
      return
    }
    const where = type === 'tcp' ? { port: rest } : needs ? { path: rest } : {}
    this.#inputs[INPUT_NAME] = { type, ...where, schema: 'deepstream' }
    this.origins.push({
      path: ['inputs', INPUT_NAME],
      text: 'in place of the sources, whose video is not read here',
    })
  }

  /**
   * Adds a connection that came from a group, and gives its name. One that is the same in everything is taken again: two
   * links with one client id would end each other.
   */
  connection(group: KeyGroup, members: Readonly<Record<string, unknown>>): string {
    const same = Object.entries(this.#connections).find(
      ([, known]) => JSON.stringify(known) === JSON.stringify(members),
    )?.[0]
    if (same !== undefined) return same
    const { name } = group
    this.#connections[name] = members
    this.#at(['connections', name], group)
    this.origins.push({ path: ['connections', name], text: originOf(group) })
    return name
  }

  /** Adds a route that came from a group. */
  route(group: KeyGroup, members: Readonly<Record<string, unknown>>): void {
    const path = ['routes', this.#routes.length]
    this.#routes.push(members)
    this.#at(path, group)
    this.origins.push({ path, text: originOf(group) })
  }

  /** Adds commands that come on topics a group names. */
  command(group: KeyGroup, members: Readonly<Record<string, unknown>>): void {
    const path = ['commands', this.#commands.length]
    this.#commands.push(members)
    this.#at(path, group)
    this.origins.push({ path, text: originOf(group) })
  }

  /** Notes that a part of the tree came from a key. */
  from(path: Path, group: KeyGroup, entry: KeyEntry | undefined): void {
    if (entry === undefined) return
    const { line, column, valueColumn } = entry
    this.places.set(path, { key: { line, column }, value: { line, column: valueColumn } })
    this.origins.push({ path, text: `[${group.name}] ${entry.key}, line ${line}` })
  }

  /** How many routes there are. */
  get routes(): number {
    return this.#routes.length
  }

  /** How many entries of commands there are. */
  get commands(): number {
    return this.#commands.length
  }

  #at(path: Path, { line, column }: KeyGroup): void {
    this.places.set(path, { key: { line, column }, value: { line, column } })
  }
}

function originOf({ name, line }: KeyGroup): string {
  return `[${name}], line ${line}`
}
