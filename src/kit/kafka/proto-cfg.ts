import type { OptionProblem } from '../../contract/index.ts'
import { BackhaulError } from '../../contract/index.ts'
import { nearest } from '../nearest.ts'
import { OURS, PROPERTIES, SECURITY, TRANSLATED, UNTRANSFERABLE } from './properties.ts'

/*
 * Strings of properties in librdkafka's names, as the Kafka adaptor of DeepStream takes them: "name=value;name=value". Quotes
 * around the whole are taken off, and blanks around names and values; both are said once. A value may hold "=", never ";". A later
 * string wins over an earlier one, and within one string nothing may be said twice. Nothing is ignored in silence, and nothing leads
 * to plaintext: what is unknown or not to be had is an error.
 */

const MAX_LENGTH = 1023

/** What properties come to. */
export interface TranslatedProperties {
  /** Options of ours, still to be checked. */
  readonly options: Readonly<Record<string, string>>
  /** TLS settings, as the `tls` block has them. */
  readonly tls: Readonly<Record<string, string>>
  /** User and password, as the `auth` block has them. */
  readonly auth: Readonly<Record<string, string>>
  /** Brokers in place of those in the address: `a:9092,b:9092`. */
  readonly hosts: string | undefined
  /** The group to subscribe with. */
  readonly group: string | undefined
  /** Whether TLS is asked for; `undefined` where `security.protocol` is not given. */
  readonly secure: boolean | undefined
  /** Properties for librdkafka as they are; none with the other driver. */
  readonly properties: NativeProperties
  /** Sentences to be said once: what has no effect, and what was taken in spite of its form. */
  readonly notes: readonly string[]
}

/** Properties for librdkafka as they are. */
export interface NativeProperties {
  /** Those of its producer. */
  readonly producer: Readonly<Record<string, string>>
  /** Those of its consumers. */
  readonly consumer: Readonly<Record<string, string>>
}

/** Who speaks Kafka. */
export type PropertiesDriver = 'javascript' | 'librdkafka'

interface Pair {
  readonly name: string
  readonly value: string
}

/**
 * Reads strings of properties, in the order in which later ones win: `proto-cfg`, then that of the producer or consumer.
 *
 * @throws BackhaulError `INVALID_OPTIONS` with every problem; no value of a secret is told
 */
export function readProtoCfg(
  strings: readonly { readonly key: string; readonly text: string }[],
  driver: PropertiesDriver = 'javascript',
): TranslatedProperties {
  const problems: OptionProblem[] = []
  const notes: string[] = []
  const merged = new Map<string, string>()
  const properties = { producer: {}, consumer: {} } as Record<keyof NativeProperties, Record<string, string>>
  for (const { key, text } of strings) {
    for (const { name, value } of pairsOf(key, text, driver, problems, notes)) {
      merged.set(name, value)
      if (driver === 'javascript' || !isNative(name)) continue
      if (key !== 'consumer-proto-cfg') properties.producer[name] = value
      if (key !== 'producer-proto-cfg') properties.consumer[name] = value
    }
  }
  const target = { options: {}, tls: {}, auth: {} } as Record<
    'options' | 'tls' | 'auth',
    Record<string, string>
  >
  const parts: Record<string, string> = {}
  for (const [name, value] of merged) {
    const kind = PROPERTIES.get(name)
    if (OURS.has(name)) notes.push(`"${name}" has no effect: Backhaul does this itself`)
    else if (kind === 'tuning' && driver === 'javascript') {
      notes.push(`"${name}" only tunes librdkafka: it has no effect with this driver`)
    }
    if (kind === 'translated') translate(name, value, target.options, parts, problems)
    else if (kind === 'security') secure(name, value, target, parts, problems)
  }
  checkTogether(target, parts, problems)
  if (problems.length > 0) {
    const words = problems.map(({ path, text }) => `"${path.join('.')}" ${text}`)
    throw new BackhaulError(
      'INVALID_OPTIONS',
      `Cannot use the properties of Kafka: ${words.join('; ')}`,
      undefined,
      {
        problems,
      },
    )
  }
  return {
    ...target,
    hosts: parts['hosts'],
    group: parts['group'],
    properties,
    secure: parts['protocol'] === undefined ? undefined : parts['protocol'].endsWith('ssl'),
    notes,
  }
}

/** A string of properties without those of security, which stand elsewhere then. The string was read without a problem. */
export function withoutSecurity(text: string): string {
  const parts = text
    .trim()
    .replace(/^"(.*)"$/s, '$1')
    .split(';')
  const rest = parts.filter((part) => PROPERTIES.get(part.slice(0, part.indexOf('=')).trim()) !== 'security')
  return rest.length === 0 ? '' : `"${rest.join(';')}"`
}

function pairsOf(
  key: string,
  raw: string,
  driver: PropertiesDriver,
  problems: OptionProblem[],
  notes: string[],
): Pair[] {
  if (raw.length > MAX_LENGTH) {
    problems.push(
      problem([key], `is longer than ${MAX_LENGTH} characters, use a configuration of our own form`),
    )
    return []
  }
  const trimmed = raw.trim()
  if (trimmed === '') return []
  const quoted = /^"(.*)"$/s.exec(trimmed)
  const text = quoted?.[1] ?? trimmed
  if (quoted === null) notes.push(`"${key}" stands without quotes: it is taken as it is`)
  if (text.includes('"')) {
    problems.push(
      problem([key], 'has a quote within it: put one before the first name and one behind the last value'),
    )
    return []
  }
  const pairs: Pair[] = []
  for (const part of text.split(';')) {
    const at = part.indexOf('=')
    if (part.trim() === '') continue
    if (at < 0) {
      problems.push(
        problem([key], `has a part without a name before it, write name=value (part ${pairs.length + 1})`),
      )
      continue
    }
    const name = part.slice(0, at).trim()
    const value = part.slice(at + 1).trim()
    if (name !== part.slice(0, at) || value !== part.slice(at + 1)) {
      notes.push(`"${key}" has blanks around "${known(name)}": they are left out`)
    }
    const found = check(key, name, value, driver, pairs)
    if (found === undefined) pairs.push({ name, value })
    else problems.push(found)
  }
  return pairs
}

/** Whether a property is librdkafka's alone, and may be given to it. */
function isNative(name: string): boolean {
  const kind = PROPERTIES.get(name)
  return (kind === 'tuning' || kind === 'refused') && !OURS.has(name) && !UNTRANSFERABLE.has(name)
}

function check(
  key: string,
  name: string,
  value: string,
  driver: PropertiesDriver,
  before: readonly Pair[],
): OptionProblem | undefined {
  const kind = PROPERTIES.get(name)
  if (kind === undefined) {
    const near = nearest(name, PROPERTIES.keys())
    const hint = near === undefined ? 'it is no property of librdkafka' : `did you mean "${near}"?`
    return { ...problem([key, name], `is unknown, ${hint}`), kind: 'unknown', nearest: near }
  }
  if (UNTRANSFERABLE.has(name)) return problem([key, name], 'cannot be given as text, leave it out')
  if (kind === 'refused' && driver === 'javascript') {
    return problem([key, name], 'is not to be had with this driver, leave it out or say driver: librdkafka')
  }
  if (value === '') return problem([key, name], 'has no value, give it one or leave it out')
  if (before.some((pair) => pair.name === name)) return problem([key, name], 'is given twice, give it once')
  return undefined
}

/** A name that may be told: an unknown one could be a piece of a password. */
function known(name: string): string {
  return PROPERTIES.has(name) ? name : '...'
}

const STARTS: Readonly<Record<string, string>> = {
  smallest: 'earliest',
  earliest: 'earliest',
  beginning: 'earliest',
  largest: 'latest',
  latest: 'latest',
  end: 'latest',
}

function translate(
  name: string,
  value: string,
  options: Record<string, string>,
  parts: Record<string, string>,
  problems: OptionProblem[],
): void {
  const option = TRANSLATED[name] ?? ''
  const put = (text: string) => {
    if (options[option] !== undefined && options[option] !== text) {
      problems.push(problem([name], 'contradicts another name of the same property, give one of them'))
    }
    options[option] = text
  }
  if (option === 'hosts' || option === 'group') parts[option] = value
  else if (option === 'start') {
    const start = STARTS[value]
    if (start === undefined) problems.push(problem([name], 'must be earliest or latest with this driver'))
    else put(start)
  } else if (option === 'acks') put(value === '-1' ? 'all' : value)
  else if (option === 'maxInFlightRequests') put(Number(value) > 5 ? '5' : value)
  // no limit, and never: the longest that there is
  else if (option.endsWith('Ms') && (value === '0' || value === '-1')) put('3600000')
  else put(value)
}

const PROTOCOLS = ['plaintext', 'ssl', 'sasl_plaintext', 'sasl_ssl']

function secure(
  name: string,
  value: string,
  target: Record<'options' | 'tls' | 'auth', Record<string, string>>,
  parts: Record<string, string>,
  problems: OptionProblem[],
): void {
  const setting = SECURITY[name] ?? ''
  const lower = value.toLowerCase()
  if (setting === 'protocol') {
    if (PROTOCOLS.includes(lower)) parts['protocol'] = lower
    else problems.push(problem([name], `must be one of ${PROTOCOLS.join(', ')}`))
  } else if (setting === 'mechanism') target.options['sasl'] = value.toUpperCase()
  else if (setting === 'user' || setting === 'password') target.auth[setting] = value
  else if (setting === 'verify') {
    if (lower === 'false') target.tls['insecureSkipVerify'] = 'true'
    else if (lower !== 'true') problems.push(problem([name], 'must be true or false'))
  } else if (setting === 'endpoint') {
    if (lower === 'none') target.tls['insecureSkipHostName'] = 'true'
    else if (lower !== 'https') problems.push(problem([name], 'must be https or none'))
  } else target.tls[setting] = value
}

function checkTogether(
  { tls, auth, options }: Record<'options' | 'tls' | 'auth', Record<string, string>>,
  parts: Record<string, string>,
  problems: OptionProblem[],
): void {
  const protocol = parts['protocol'] ?? 'plaintext'
  const wants = (what: string, fix: string) => {
    const said = parts['protocol'] === undefined ? 'is not given' : `is ${protocol}`
    problems.push(problem(['security.protocol'], `${said}, and ${what}: set it to ${fix}`))
  }
  const isSasl = protocol.startsWith('sasl')
  if (Object.keys(tls).length > 0 && !protocol.endsWith('ssl')) {
    wants('there are properties of TLS', isSasl ? 'sasl_ssl' : 'ssl')
  }
  if (Object.keys(auth).length > 0 && !isSasl) wants('there is a user or password', 'sasl_ssl')
  if (isSasl && auth['user'] === undefined) {
    problems.push(problem(['sasl.username'], `is missing: security.protocol is ${protocol}`))
  }
  if (options['sasl'] !== undefined && !isSasl) wants('there is a mechanism of SASL', 'sasl_ssl')
}

function problem(path: readonly string[], text: string): OptionProblem {
  return { path, kind: 'invalid', text, nearest: undefined }
}
