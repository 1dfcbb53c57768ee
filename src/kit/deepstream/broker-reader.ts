import type { KeyEntry, KeyGroup } from '../key-file.ts'
import { integerOf, textOf } from '../key-file.ts'
import { nearest } from '../nearest.ts'

/** A connection as DeepStream describes it. */
export interface BrokerSource {
  /** Path of the adaptor library. */
  readonly library: string
  /** The connection string; `undefined` where there is none. */
  readonly connection: string | undefined
  /** The group `[message-broker]` of the adaptor's file; `undefined` where there is no file. */
  readonly group: KeyGroup | undefined
  /** Environment variables. */
  readonly env: Readonly<Record<string, string | undefined>>
  /** Relative paths in the adaptor's file are relative to this folder: where the original was started. */
  readonly folder: string
}

/** What is wrong with a connection, or has no effect. */
export interface BrokerProblem {
  /** An error keeps it from being used. */
  readonly severity: 'error' | 'warning'
  /** What it is about. */
  readonly part: 'library' | 'connection' | 'config'
  /** The entry of the adaptor's file. */
  readonly entry: KeyEntry | undefined
  /** A phrase that follows the name of the part or the key. */
  readonly text: string
  /** The known name that is nearest to what was written. */
  readonly nearest: string | undefined
}

/** TLS settings and credentials, and where they go. The names are those of a connection in our configuration. */
export interface BrokerTarget {
  /** The address; `undefined` where there is an error that keeps it from being made. */
  url: string | undefined
  /** TLS settings. */
  tls: Record<string, string | boolean>
  /** User and password. */
  auth: Record<string, string>
  /** Options of the protocol. */
  options: Record<string, unknown>
  /** The group of subscribers. */
  group: string | undefined
  /** Dotted path of the key in a payload. */
  partitionKey: string | undefined
  /** Where messages go that name no topic. */
  defaultTopic: string | undefined
  /** Whether the connection may be shared. */
  share: boolean
}

/** What the reader of a protocol works with: the source, and the target that it fills. */
export class BrokerReader {
  /** What is read. */
  readonly source: BrokerSource
  /** What is made of it. */
  readonly target: BrokerTarget = {
    url: undefined,
    tls: {},
    auth: {},
    options: {},
    group: undefined,
    partitionKey: undefined,
    defaultTopic: undefined,
    share: false,
  }
  /** What is wrong so far. */
  readonly problems: BrokerProblem[] = []

  /** Reads nothing yet. */
  constructor(source: BrokerSource) {
    this.source = source
  }

  /** Notes a problem. */
  problem(
    part: BrokerProblem['part'],
    text: string,
    facts: { entry?: KeyEntry | undefined; severity?: 'warning'; nearest?: string | undefined } = {},
  ): void {
    const { entry, severity = 'error', nearest } = facts
    this.problems.push({ severity, part, entry, text, nearest })
  }

  /** Objects to keys that are not known, says which of the known ones have no effect, and reads `share-connection`. */
  keys(known: readonly string[], idle: readonly string[]): void {
    const all = [...known, ...idle, 'share-connection']
    for (const entry of this.source.group?.entries.values() ?? []) {
      if (idle.includes(entry.key))
        this.problem('config', 'has no effect here', { entry, severity: 'warning' })
      if (all.includes(entry.key)) continue
      const near = nearest(entry.key, all)
      const hint = near === undefined ? `known are ${all.join(', ')}` : `did you mean "${near}"?`
      this.problem('config', `is unknown, ${hint}`, { entry, nearest: near })
    }
    this.target.share = this.text('share-connection') === '1'
  }

  /** A text of the adaptor's file, blanks around it removed; `undefined` where it is empty or not there. */
  text(key: string): string | undefined {
    const entry = this.source.group?.entries.get(key)
    if (entry === undefined) return undefined
    const reading = textOf(entry)
    if ('fault' in reading) {
      this.problem('config', reading.fault, { entry })
      return undefined
    }
    const value = reading.value.trim()
    return value === '' ? undefined : value
  }

  /** A whole number of the adaptor's file. */
  integer(key: string): number | undefined {
    const entry = this.source.group?.entries.get(key)
    if (entry === undefined) return undefined
    const reading = integerOf(entry)
    if ('value' in reading) return reading.value
    this.problem('config', `${reading.fault}, and is passed over`, { entry, severity: 'warning' })
    return undefined
  }

  /** The entry of a key. */
  entry(key: string): KeyEntry | undefined {
    return this.source.group?.entries.get(key)
  }

  /** Takes user and password: each from the environment, the file, or else as given. */
  credentials(
    protocol: string,
    given: { user?: string | undefined; password?: string | undefined } = {},
  ): void {
    const user = this.#secret(`USER_${protocol}`) ?? literal(this.text('username') ?? given.user)
    const password = this.#secret(`PASSWORD_${protocol}`) ?? literal(this.text('password') ?? given.password)
    if (user !== undefined) this.target.auth['user'] = user
    else if (password !== undefined) this.problem('config', 'has a password and no user, give a username')
    if (user !== undefined && password !== undefined) this.target.auth['password'] = password
  }

  /** A reference to an environment variable that is set: its value stays out of what is made. */
  #secret(name: string): string | undefined {
    const value = Object.hasOwn(this.source.env, name) ? this.source.env[name] : undefined
    return value === undefined || value === '' ? undefined : `\${env:${name}}`
  }
}

/** Text that means itself where references are replaced. */
export function literal(text: string): string
export function literal(text: string | undefined): string | undefined
export function literal(text: string | undefined): string | undefined {
  return text?.replaceAll('${', () => '$${')
}

/** The target with the values of its references in place of them, for whoever uses it at once. */
export function withValues(
  target: BrokerTarget,
  env: Readonly<Record<string, string | undefined>>,
): BrokerTarget {
  const value = (text: string) =>
    text.replaceAll(/\$\$\{|\$\{env:([^}]*)\}/g, (_, name: string | undefined) =>
      name === undefined ? '${' : (env[name] ?? ''),
    )
  const values = <T>(members: Record<string, T>) =>
    Object.fromEntries(
      Object.entries(members).map(([name, item]) => [name, typeof item === 'string' ? value(item) : item]),
    )
  const auth = Object.fromEntries(Object.entries(target.auth).map(([name, text]) => [name, value(text)]))
  return {
    ...target,
    auth,
    tls: Object.assign({}, target.tls, values(target.tls)),
    options: values(target.options),
  }
}
