import type { Headers } from '../../../contract/index.ts'

/*
 * Entries of streams as Redis answers them: `[[stream, [[id, [field, value, ...]], ...]], ...]`, all texts as bytes, nothing at all where
 * there is nothing, and no fields where an entry that a member has not finished was deleted.
 */

/** An entry as it was read. */
export interface RawEntry {
  /** Its id in the stream, for example `1700000000000-0`. */
  readonly id: string
  /** Fields and values by turns, or `undefined` where it was deleted. */
  readonly fields: readonly Buffer[] | undefined
}

/** The entry as a message. */
export interface Stored {
  /** The payload. */
  readonly payload: Uint8Array
  /** The sender's id. */
  readonly id: string | undefined
  /** The key. */
  readonly key: string | undefined
  /** The headers. */
  readonly headers: Headers | undefined
}

/** Which fields hold what. */
export interface FieldNames {
  /** Field of the payload. */
  readonly payloadField: string
  /** Field of the id, or empty. */
  readonly idField: string
  /** Field of the key, or empty. */
  readonly keyField: string
  /** Field of the headers, or empty. */
  readonly headersField: string
}

/** Text of an answer, whether it came as text or as bytes. */
export function answerText(value: unknown): string {
  if (typeof value === 'string') return value
  return Buffer.isBuffer(value) ? value.toString() : ''
}

/** A list of an answer; what is none is an empty one. */
export function answerList(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

/** Reads the answer to XREAD and XREADGROUP. */
export function readStreams(answer: unknown): readonly (readonly [stream: string, entries: RawEntry[]])[] {
  return answerList(answer).map((part) => {
    const [name, entries] = answerList(part)
    return [answerText(name), readEntries(entries)]
  })
}

/** Reads a list of entries, as XREVRANGE and XAUTOCLAIM have it. */
export function readEntries(value: unknown): RawEntry[] {
  return answerList(value).map((one) => {
    const [id, fields] = answerList(one)
    return {
      id: answerText(id),
      fields: Array.isArray(fields) ? fields.filter((one) => Buffer.isBuffer(one)) : undefined,
    }
  })
}

/**
 * Finds payload, id, key and headers among the fields. Without the payload's field, the first one is the payload, as for DeepStream;
 * fields that mean nothing here become headers, so that nothing is lost.
 */
export function storedOf(fields: readonly Buffer[], names: FieldNames): Stored {
  let payload: Buffer | undefined
  let id: string | undefined
  let key: string | undefined
  let headers: Record<string, string> | undefined
  const others: [string, Buffer][] = []
  for (let at = 0; at + 1 < fields.length; at += 2) {
    const name = answerText(fields[at])
    const value = fields[at + 1] ?? EMPTY
    if (name === names.payloadField && payload === undefined) payload = value
    else if (name === '') others.push([name, value])
    else if (name === names.idField && id === undefined) id = value.toString()
    else if (name === names.keyField && key === undefined) key = value.toString()
    else if (name === names.headersField && headers === undefined) {
      headers = readHeaders(value)
      if (headers === undefined) others.push([name, value])
    } else others.push([name, value])
  }
  payload ??= others.shift()?.[1] ?? EMPTY
  for (const [name, value] of others) {
    headers ??= {}
    if (!Object.hasOwn(headers, name)) headers[name] = value.toString()
  }
  return { payload, id, key, headers }
}

const EMPTY = Buffer.alloc(0)

/** The headers, or `undefined` for what is no JSON object of texts; values that are no texts become such. */
function readHeaders(value: Buffer): Record<string, string> | undefined {
  let parsed: unknown
  try {
    parsed = JSON.parse(value.toString())
  } catch {
    return undefined
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) return undefined
  const pairs = Object.entries(parsed).map(([name, one]: [string, unknown]) => {
    return [name, typeof one === 'string' ? one : JSON.stringify(one)] as const
  })
  return Object.fromEntries(pairs)
}
