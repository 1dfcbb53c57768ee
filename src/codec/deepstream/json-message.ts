import type { z } from 'zod'

import { BackhaulError } from '../../contract/index.ts'
import { readOptions } from '../../kit/options.ts'
import { decodeUtf8 } from '../utf8.ts'

/** Parses a message as JSON and checks its shape; `INVALID_MESSAGE` says what is wrong. */
export function parseMessage<Schema extends z.ZodType>(
  bytes: Uint8Array | string,
  schema: Schema,
  subject: string,
): z.output<Schema> {
  const text = typeof bytes === 'string' ? bytes : decodeUtf8(bytes)
  if (text === undefined) throw invalid(subject, 'it is not UTF-8, write it as UTF-8')
  let data: unknown
  try {
    data = JSON.parse(text)
  } catch (cause) {
    throw invalid(subject, 'it is not JSON, write one JSON object', cause)
  }
  return readOptions(schema, data, subject, 'INVALID_MESSAGE')
}

/** The error of a message that cannot be read. */
export function invalid(subject: string, why: string, cause?: unknown): BackhaulError {
  return new BackhaulError('INVALID_MESSAGE', `Cannot use ${subject}: ${why}`, cause)
}

/** The object without the members that are undefined: one that is not there and one that is undefined differ to a reader. */
export function compact<T extends object>(members: T): T {
  for (const name of Object.keys(members)) {
    if (Reflect.get(members, name) === undefined) Reflect.deleteProperty(members, name)
  }
  return members
}
