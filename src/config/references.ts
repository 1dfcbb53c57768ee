import { isUtf8 } from 'node:buffer'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'

import { nearest } from '../kit/nearest.ts'
import type { Problem } from './problem.ts'
import type { Path, Places } from './source.ts'
import { shownPath } from './source.ts'

/** The largest file that a reference may name, in bytes. */
const MAX_REFERENCED_BYTES = 1024 * 1024

/** What references are looked up in. */
export interface ReferenceSources {
  /** Environment variables. */
  readonly env: Readonly<Record<string, string | undefined>>
  /** Paths are relative to this folder. */
  readonly folder: string
}

/** A tree whose references were replaced. */
export interface Resolved {
  /** The tree. A text whose reference could not be resolved stays as it is written. */
  readonly data: unknown
  /** A problem for each reference that could not be resolved. */
  readonly problems: readonly Problem[]
  /** Whether the entry at a path, or one below it, has a reference that could not be resolved. */
  readonly isOpen: (path: Path) => boolean
  /** Puts `${env:NAME}` in a message wherever the value of a reference got into it. */
  readonly mask: (message: string) => string
  /** The text at a path as it is written in the file, where it has a reference. */
  readonly written: (path: Path) => string | undefined
  /** Whether a value in the text at a path has signs that take an address apart: then a message may show a part of it. */
  readonly isTakenApart: (path: Path) => boolean
}

/**
 * Replaces `${env:NAME}` and `${file:path}` in every text of a tree. `$${` stands for `${` itself. The content of a file
 * comes without the line end at its end.
 */
export function resolveReferences(data: unknown, places: Places, sources: ReferenceSources): Resolved {
  const resolver = new Resolver(places, sources)
  const resolved = resolver.walk(data, [])
  return {
    data: resolved,
    problems: resolver.problems,
    isOpen: (path) => resolver.open.some((open) => path.every((key, index) => open[index] === key)),
    mask: (message) => mask(message, resolver.values),
    written: (path) => resolver.written.get(shownPath(path)),
    isTakenApart: (path) => resolver.takenApart.has(shownPath(path)),
  }
}

class Resolver {
  readonly problems: Problem[] = []
  readonly open: Path[] = []
  /** Values that came from references, and what to show in their place. */
  readonly values = new Map<string, string>()
  readonly written = new Map<string, string>()
  readonly takenApart = new Set<string>()
  readonly #places: Places
  readonly #sources: ReferenceSources

  constructor(places: Places, sources: ReferenceSources) {
    this.#places = places
    this.#sources = sources
  }

  walk(value: unknown, path: Path): unknown {
    if (typeof value === 'string') return value.includes('${') ? this.#replace(value, path) : value
    if (Array.isArray(value)) return value.map((item, index) => this.walk(item, [...path, index]))
    if (typeof value !== 'object' || value === null) return value
    return Object.fromEntries(
      Object.entries(value).map(([name, item]) => [name, this.walk(item, [...path, name])]),
    )
  }

  #replace(text: string, path: Path): string {
    this.written.set(shownPath(path), text)
    return text.replaceAll(/\$\$\{|\$\{([^}]*)(\}?)/g, (whole, inner: string | undefined, close: string) => {
      if (inner === undefined) return '${'
      const value = close === '' ? { fault: 'has no "}" at its end' } : this.#look(inner)
      if (typeof value === 'string') {
        if (value !== '') this.values.set(value, whole)
        if (/[^A-Za-z0-9._~-]/.test(value)) this.takenApart.add(shownPath(path))
        return value
      }
      this.open.push(path)
      this.problems.push({
        ...this.#places.value(path),
        severity: 'error',
        code: value.code ?? 'INVALID_CONFIG',
        path: shownPath(path),
        message: `"${shownPath(path)}" cannot be read: "${whole}" ${value.fault}`,
        suggestion: value.near,
      })
      return whole
    })
  }

  #look(reference: string): string | Fault {
    const colon = reference.indexOf(':')
    const kind = reference.slice(0, Math.max(colon, 0))
    const name = reference.slice(colon + 1)
    if (kind === 'env' && name !== '') return this.#variable(name)
    if (kind === 'file' && name !== '') return this.#file(name)
    return { fault: 'is no reference, write ${env:NAME} or ${file:path}, or $${ for the text itself' }
  }

  #variable(name: string): string | Fault {
    const { env } = this.#sources
    const value = Object.hasOwn(env, name) ? env[name] : undefined
    if (value !== undefined) return value
    const near = nearest(name, Object.keys(env))
    const hint = near === undefined ? 'set it' : `set it, or did you mean "${near}"?`
    return { fault: `names a variable that is not set, ${hint}`, near }
  }

  #file(path: string): string | Fault {
    const whole = resolve(this.#sources.folder, path)
    try {
      const bytes = readFileSync(whole)
      if (bytes.length > MAX_REFERENCED_BYTES) return { fault: `has more than ${MAX_REFERENCED_BYTES} bytes` }
      if (!isUtf8(bytes)) return { fault: 'is not UTF-8 text, name a text file' }
      return bytes.toString().replace(/\r?\n$/, '')
    } catch (error) {
      return { fault: unreadable(error, whole), code: 'FILE_UNREADABLE' }
    }
  }
}

interface Fault {
  readonly fault: string
  readonly near?: string | undefined
  readonly code?: Problem['code']
}

/** Why a file cannot be read and what mends it: `is not there (looked for "/etc/x"), ...`. */
export function unreadable(error: unknown, path: string): string {
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined
  if (code === 'ENOENT')
    return `is not there, make "${path}" or mend the path, which is relative to the configuration file`
  if (code === 'EACCES') return `may not be read by this user, change the permissions of "${path}"`
  if (code === 'EISDIR') return `is a folder, name a file in "${path}"`
  return `cannot be read, look at "${path}"`
}

function mask(message: string, values: ReadonlyMap<string, string>): string {
  let masked = message
  // the longest first: one value may be a part of another
  for (const value of [...values.keys()].toSorted((a, b) => b.length - a.length)) {
    masked = masked.replaceAll(new RegExp(escapeRegExp(value), 'gi'), () => values.get(value) ?? '')
  }
  return masked
}

function escapeRegExp(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)
}
