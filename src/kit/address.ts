import type { Address } from '../contract/index.ts'
import { BackhaulError } from '../contract/index.ts'

/**
 * Takes an address apart: `scheme://user:password@host:port,host:port/path?name=value`, or `memory:name`.
 *
 * @throws BackhaulError `INVALID_ADDRESS`; the text never repeats the password.
 */
export function parseAddress(text: string): Address {
  const shown = redactAddress(text)
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(text)?.[1]?.toLowerCase()
  const rest = text.slice((scheme?.length ?? 0) + 1)
  // a host and its port look like a scheme and a path
  if (scheme === undefined || /^\d+(?:\/|$)/.test(rest)) {
    throw bad(
      shown,
      `it has no scheme, write for example mqtts://${scheme === undefined ? 'broker.example:8883' : shown}`,
    )
  }
  const [beforeQuery, queryText] = splitOnce(rest, '?')
  if (!rest.startsWith('//')) {
    return {
      scheme,
      hosts: [],
      path: decode(beforeQuery, shown),
      user: undefined,
      password: undefined,
      query: parseQuery(queryText, shown),
      display: `${scheme}:${beforeQuery}`,
    }
  }
  const afterSlashes = beforeQuery.slice(2)
  const slash = afterSlashes.indexOf('/')
  const authority = slash < 0 ? afterSlashes : afterSlashes.slice(0, slash)
  const path = slash < 0 ? '' : afterSlashes.slice(slash)
  const at = authority.lastIndexOf('@')
  const [user, password] = at < 0 ? [undefined, undefined] : splitOnce(authority.slice(0, at), ':')
  const hostText = authority.slice(at + 1)
  const hosts = hostText.split(',').map((part) => parseHost(part, shown))
  return {
    scheme,
    hosts,
    path: decode(path, shown),
    user: user === undefined ? undefined : decode(user, shown),
    password: password === undefined ? undefined : decode(password, shown),
    query: parseQuery(queryText, shown),
    display: `${scheme}://${user === undefined ? '' : `${user}@`}${hostText}${path}`,
  }
}

/** The text with its password and query replaced by `***`, for messages. */
export function redactAddress(text: string): string {
  return text.replace(/(\/\/[^/@?]*?):[^/]*@/, '$1:***@').replace(/\?.*$/s, '?***')
}

function parseHost(text: string, shown: string): { host: string; port: number | undefined } {
  const match = /^(?:\[([0-9a-f:.%]+)\]|([^:[\]\s]+))(?::(\d{1,5}))?$/i.exec(text)
  const host = match?.[1] ?? match?.[2]
  if (host === undefined) throw bad(shown, `"${redactAddress(text)}" is not a host with an optional port`)
  const port = match?.[3] === undefined ? undefined : Number(match[3])
  if (port !== undefined && (port < 1 || port > 65_535)) throw bad(shown, 'a port is from 1 to 65535')
  return { host, port }
}

function parseQuery(text: string | undefined, shown: string): Record<string, string> {
  const query: Record<string, string> = {}
  for (const [name, value] of new URLSearchParams(text ?? '')) {
    if (Object.hasOwn(query, name)) throw bad(shown, `the option "${name}" is given twice`)
    query[name] = value
  }
  return query
}

function splitOnce(text: string, separator: string): [string, string | undefined] {
  const index = text.indexOf(separator)
  return index < 0 ? [text, undefined] : [text.slice(0, index), text.slice(index + 1)]
}

function decode(text: string, shown: string): string {
  try {
    return decodeURIComponent(text)
  } catch (cause) {
    throw bad(shown, 'a "%" is not followed by two hexadecimal digits, write %25 for a percent sign', cause)
  }
}

function bad(shown: string, why: string, cause?: unknown): BackhaulError {
  return new BackhaulError('INVALID_ADDRESS', `Cannot use the address "${shown}": ${why}`, cause)
}
