import { resolve } from 'node:path'

import type { Adaptor, ErrorCode, OptionProblem } from '../contract/index.ts'
import { BackhaulError, ERRORS } from '../contract/index.ts'
import type { ConnectionOptionsInput } from '../client/options.ts'
import { isDeepStreamPayload, PAYLOADS_OF_LINES } from '../codec/options.ts'
import { nearest } from '../kit/nearest.ts'
import { propertyFaults } from './deepstream/properties.ts'
import { absoluteAdaptor, connectionFiles, fileFault } from './files.ts'
import type { CommandConfig, ConnectionConfig, InputConfig, RouteConfig } from './model.ts'
import { partSchemas } from './model.ts'
import type { Problem } from './problem.ts'
import type { Resolved } from './references.ts'
import type { Path, Places } from './source.ts'
import { problemAt, shownPath } from './source.ts'
import { COMMAND_PLACEHOLDERS, placeholderFault, ROUTE_PLACEHOLDERS, sampleTopic } from './topics.ts'

/**
 * Checks an address and its options as the client will when it opens them, and gives the adaptor.
 *
 * Rejects with a BackhaulError: `INVALID_ADDRESS`, `INVALID_OPTIONS`, `PLAINTEXT_CREDENTIALS`, ...
 */
export type ResolveConnection = (
  url: string,
  options: ConnectionOptionsInput,
) => Promise<{ readonly adaptor: Pick<Adaptor, 'checkTopic'>; readonly notes?: readonly string[] }>

/** What the checks look at. */
export interface Checked {
  /** The tree of the file, references replaced. */
  readonly resolved: Resolved
  /** Where everything stands. */
  readonly places: Places
  /** Files are relative to this folder. */
  readonly folder: string
  /** The client's own check of a connection. */
  readonly resolve: ResolveConnection
}

/**
 * Finds what no schema can: names that refer to nothing, what does not go together, addresses, topics, files.
 * It looks at every part that is well-formed by itself, so that one mistake hides no other.
 */
export async function crossCheck(checked: Checked): Promise<Problem[]> {
  const check = new CrossCheck(checked)
  await check.run()
  return check.problems
}

class CrossCheck {
  readonly problems: Problem[] = []
  readonly #checked: Checked
  readonly #connectionNames: readonly string[]
  readonly #inputNames: readonly string[]
  readonly #inputs = new Map<string, InputConfig>()
  readonly #adaptors = new Map<string, Pick<Adaptor, 'checkTopic'>>()
  readonly #deviceId: string

  constructor(checked: Checked) {
    this.#checked = checked
    const { data } = checked.resolved
    this.#connectionNames = Object.keys(record(entry(data, 'connections')))
    this.#inputNames = Object.keys(record(entry(data, 'inputs')))
    const id = entry(entry(data, 'device'), 'id')
    this.#deviceId = typeof id === 'string' ? id : 'x'
  }

  async run(): Promise<void> {
    const { data } = this.#checked.resolved
    for (const [name, raw] of Object.entries(record(entry(data, 'connections')))) {
      const { data: connection } = partSchemas.connection.safeParse(raw)
      if (connection !== undefined) await this.#connection(name, connection)
    }
    for (const [name, raw] of Object.entries(record(entry(data, 'inputs')))) {
      const { data: input } = partSchemas.input.safeParse(raw)
      if (input !== undefined) this.#input(name, input)
    }
    for (const [index, raw] of list(entry(data, 'routes')).entries()) {
      const { data: route } = partSchemas.route.safeParse(raw)
      if (route !== undefined) this.#route(['routes', index], route)
    }
    for (const [index, raw] of list(entry(data, 'commands')).entries()) {
      if (entry(raw, 'replyTopic') === undefined && entry(raw, 'format') !== 'deepstream') {
        this.#add(['commands', index, 'replyTopic'], 'is missing: must be a string', { atKey: true })
      }
      const { data: command } = partSchemas.command.safeParse(raw)
      if (command !== undefined) this.#command(['commands', index], command)
    }
    this.#unused()
  }

  async #connection(name: string, connection: ConnectionConfig): Promise<void> {
    const path = ['connections', name]
    for (const { path: rest, file } of connectionFiles(connection)) {
      const here = [...path, ...rest]
      const fault = this.#fileFault(here, file)
      if (fault !== undefined) this.#add(here, fault, { code: 'FILE_UNREADABLE' })
    }
    this.#warnOfPassword([...path, 'url'], connection.url)
    // a reference that is not there would only be reported a second time
    if (this.#checked.resolved.isOpen(path)) return
    try {
      const { url, ...options } = connection
      const found = { ...options, ...absoluteAdaptor(connection, this.#checked.folder) }
      const { adaptor, notes = [] } = await this.#checked.resolve(url, found)
      this.#adaptors.set(name, adaptor)
      const here = [...path, this.#checked.places.has([...path, 'options']) ? 'options' : 'url']
      for (const note of notes)
        this.#push(here, this.#checked.places.value(here), note, { severity: 'warning' })
    } catch (error) {
      if (!(error instanceof BackhaulError)) throw error
      this.#refusedConnection(path, connection, error)
    }
  }

  /** Puts each thing that the client objects to at its place in the file. */
  #refusedConnection(path: Path, connection: ConnectionConfig, error: BackhaulError): void {
    const { places, resolved } = this.#checked
    const url = [...path, 'url']
    const inFile = (problem: OptionProblem) =>
      [
        [...path, ...problem.path],
        [...path, 'options', ...problem.path],
      ].find((at) => places.has(at))
    const inUrl = error.problems.filter((problem) => inFile(problem) === undefined)
    for (const problem of error.problems) {
      const at = inFile(problem)
      if (at !== undefined) this.#option({ ...problem, path: at }, error.code)
    }
    if (error.problems.length > inUrl.length && inUrl.length === 0) return

    if (resolved.isTakenApart(url)) {
      this.#add(url, `is not in order with the values of its references: ${cureOf(error.code)}`, {
        code: error.code,
      })
    } else if (inUrl.length > 0) {
      for (const { path: option, text, nearest } of inUrl) {
        this.#add(url, `has an option "${shownPath(option)}" that ${text}`, { nearest, code: error.code })
      }
    } else {
      const block = blockOf(error.code, connection)
      const here = block !== undefined && places.has([...path, block]) ? [...path, block] : url
      this.#push(here, places.value(here), error.message, { code: error.code })
    }
  }

  #warnOfPassword(path: Path, url: string): void {
    // a reference in place of the password keeps it out of the file
    const written = (this.#checked.resolved.written(path) ?? url).replaceAll(/\$\{[^}]*\}/g, '')
    if (!/^[a-z][a-z0-9+.-]*:\/\/[^/?#@]*:[^/?#@]+@/i.test(written)) return
    this.#add(path, 'holds a password, move it to auth.passwordFile or write ${env:NAME} in its place', {
      severity: 'warning',
    })
  }

  #input(name: string, input: InputConfig): void {
    this.#inputs.set(name, input)
    const path = ['inputs', name]
    const earlier = [...this.#inputs].find(([other, { type }]) => type === 'stdin' && other !== name)?.[0]
    if (input.type === 'stdin' && earlier !== undefined) {
      this.#add([...path, 'type'], `takes standard input, which "${earlier}" takes already, keep one of them`)
    }
    const fault = input.type === 'file' ? this.#fileFault([...path, 'path'], input.path) : undefined
    if (fault !== undefined)
      this.#add([...path, 'path'], fault, { severity: 'warning', code: 'FILE_UNREADABLE' })
  }

  #fileFault(path: Path, file: string): string | undefined {
    const { resolved, folder } = this.#checked
    return resolved.isOpen(path) ? undefined : fileFault(file, folder, resolved.written(path))
  }

  #route(path: Path, route: RouteConfig): void {
    this.#refer([...path, 'from'], route.from, 'input', this.#inputNames)
    this.#refer([...path, 'to'], route.to, 'connection', this.#connectionNames)
    this.#topic([...path, 'topic'], route.topic, 'publish', ROUTE_PLACEHOLDERS, route.to)
    this.#converter([...path, 'converter'], route)
    if (this.#inputs.get(route.from)?.schema !== 'lines') return
    const cure = `, and the input "${route.from}" has none, say schema: detection there`
    if (!PAYLOADS_OF_LINES.includes(route.payload)) {
      this.#add([...path, 'payload'], `is made of detections${cure}, or payload: raw here`)
    }
    if (route.topic.includes('{sensorId}')) {
      this.#add([...path, 'topic'], `has "{sensorId}", which comes from detections${cure}`)
    }
    if (route.key === 'sensorId') this.#add([...path, 'key'], `comes from detections${cure}`)
  }

  #converter(path: Path, { payload, converter }: RouteConfig): void {
    if (converter === undefined) return
    if (!isDeepStreamPayload(payload)) {
      this.#add(path, `is for the payloads of DeepStream, leave it out or say payload: deepstream-minimal`)
    }
    if (converter.properties === undefined) return
    const here = [...path, 'properties']
    const fault = this.#fileFault(here, converter.properties)
    if (fault !== undefined) this.#add(here, fault, { code: 'FILE_UNREADABLE' })
    else if (!this.#checked.resolved.isOpen(here)) {
      for (const line of propertyFaults(resolve(this.#checked.folder, converter.properties))) {
        this.#add(here, `has a mistake: ${line}`)
      }
    }
  }

  #command(path: Path, command: CommandConfig): void {
    const { connection, topics, replyTopic } = command
    this.#refer([...path, 'connection'], connection, 'connection', this.#connectionNames)
    for (const [index, topic] of topics.entries()) {
      const inList = [...path, 'topics', index]
      const here = this.#checked.places.has(inList) ? inList : [...path, 'topics']
      this.#topic(here, topic, 'subscribe', COMMAND_PLACEHOLDERS, connection)
    }
    if (replyTopic === undefined) return
    this.#topic([...path, 'replyTopic'], replyTopic, 'publish', COMMAND_PLACEHOLDERS, connection)
    if (topics.includes(replyTopic)) {
      this.#add([...path, 'replyTopic'], 'is a topic of commands too, choose another for the replies')
    }
  }

  #refer(path: Path, name: string, what: 'input' | 'connection', names: readonly string[]): void {
    if (names.includes(name) || this.#checked.resolved.isOpen(path)) return
    const near = nearest(name, names)
    const known = names.length === 0 ? `there are no ${what}s` : `known are ${names.join(', ')}`
    const hint = near === undefined ? known : `did you mean "${near}"?`
    this.#add(path, `names an unknown ${what}, ${hint}`, { nearest: near })
  }

  #topic(
    path: Path,
    topic: string,
    use: 'publish' | 'subscribe',
    known: readonly string[],
    connection: string,
  ): void {
    if (this.#checked.resolved.isOpen(path)) return
    const fault = placeholderFault(topic, known)
    if (fault !== undefined) {
      this.#add(path, fault.text, { ...fault, code: 'INVALID_TOPIC' })
      return
    }
    try {
      this.#adaptors.get(connection)?.checkTopic(sampleTopic(topic, this.#deviceId), use)
    } catch (error) {
      if (!(error instanceof BackhaulError)) throw error
      this.#push(path, this.#checked.places.value(path), error.message, { code: error.code })
    }
  }

  #unused(): void {
    const { data } = this.#checked.resolved
    const routes = list(entry(data, 'routes'))
    const commands = list(entry(data, 'commands'))
    const usedInputs = new Set(routes.map((route) => entry(route, 'from')))
    const usedConnections = new Set([
      ...routes.map((route) => entry(route, 'to')),
      ...commands.map((command) => entry(command, 'connection')),
    ])
    this.#warnUnused('inputs', this.#inputNames, usedInputs, 'no route')
    this.#warnUnused('connections', this.#connectionNames, usedConnections, 'no route and no commands')
  }

  #warnUnused(block: string, names: readonly string[], used: ReadonlySet<unknown>, by: string): void {
    // where a name is mistyped, the right one is not unused
    if ([...used].some((name) => typeof name === 'string' && !names.includes(name))) return
    for (const name of names.filter((name) => !used.has(name))) {
      this.#add([block, name], `is used by ${by}, add one or leave it out`, {
        severity: 'warning',
        atKey: true,
      })
    }
  }

  #option(problem: OptionProblem, code: ErrorCode): void {
    const found = problemAt(this.#checked.places, problem)
    this.#push(problem.path, found, found.message, { nearest: problem.nearest, code })
  }

  #add(path: Path, text: string, facts: ProblemFacts = {}): void {
    const { places } = this.#checked
    const position = facts.atKey === true ? places.key(path) : places.value(path)
    this.#push(path, position, `"${shownPath(path)}" ${text}`, facts)
  }

  #push(path: Path, position: { line: number; column: number }, message: string, facts: ProblemFacts): void {
    const { line, column } = position
    const { severity = 'error', code = 'INVALID_CONFIG', nearest } = facts
    const masked = this.#checked.resolved.mask(message)
    this.problems.push({
      line,
      column,
      severity,
      code,
      path: shownPath(path),
      message: masked,
      suggestion: nearest,
    })
  }
}

/** The block of a connection that an error without a place is about; `undefined`: it is about the address. */
function blockOf(code: ErrorCode, connection: ConnectionConfig): string | undefined {
  if (code === 'PLAINTEXT_CREDENTIALS') return connection.auth === undefined ? undefined : 'auth'
  return code === 'INVALID_OPTIONS' || code === 'INVALID_TOPIC' ? 'options' : undefined
}

function cureOf(code: ErrorCode): string {
  if (code === 'INVALID_OPTIONS')
    return 'an option in its query is unknown or does not fit, see the reference page'
  const { mend } = ERRORS[code]
  return mend.charAt(0).toLowerCase() + mend.slice(1)
}

interface ProblemFacts {
  readonly severity?: Problem['severity']
  readonly code?: ErrorCode
  readonly nearest?: string | undefined
  readonly atKey?: boolean
}

function entry(data: unknown, name: string): unknown {
  return typeof data === 'object' && data !== null && Object.hasOwn(data, name)
    ? Reflect.get(data, name)
    : undefined
}

function record(data: unknown): Readonly<Record<string, unknown>> {
  return typeof data === 'object' && data !== null && !Array.isArray(data) ? { ...data } : {}
}

function list(data: unknown): readonly unknown[] {
  return Array.isArray(data) ? data : []
}
