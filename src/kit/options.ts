import { z } from 'zod'

import type { ErrorCode } from '../contract/index.ts'
import { BackhaulError } from '../contract/index.ts'
import { parseDuration } from './duration.ts'
import { suggestion } from './nearest.ts'

/** One thing that is wrong with some options: where, and in words what and how to mend it. */
export interface OptionProblem {
  /** Keys and indices from the root to the place. */
  readonly path: readonly PropertyKey[]
  /** A phrase without a final period. */
  readonly text: string
}

/** True or false; the words `true` and `false` too, since queries and environments hold only text. */
export const flagOption = z.union([
  z.boolean(),
  z.enum(['true', 'false']).transform((word) => word === 'true'),
])

/** A whole number within limits; as text too. */
export function integerOption(min: number, max: number) {
  return z.union([
    z.int().min(min).max(max),
    z.string().regex(/^\d+$/, 'must be a whole number').transform(Number).pipe(z.int().min(min).max(max)),
  ])
}

/** A length of time: a number of milliseconds, or text such as `5s`. Gives milliseconds. */
export function durationOption(minMs: number, maxMs: number) {
  return z.union([
    z.int().min(minMs).max(maxMs),
    z
      .string()
      .regex(/^\d+(\.\d+)?\s*(ms|s|m|h|d)?$/, 'must be a length of time such as 500ms, 5s or 2m')
      .transform(parseDuration)
      .pipe(z.int().min(minMs).max(maxMs)),
  ])
}

/**
 * Reads options by their schema.
 *
 * @param subject - completes "Cannot use ...", for example `the MQTT options of mqtt://broker`
 * @throws BackhaulError `code` with every problem, each unknown name with the nearest known one.
 */
export function readOptions<Schema extends z.ZodType>(
  schema: Schema,
  input: unknown,
  subject: string,
  code: ErrorCode = 'INVALID_OPTIONS',
): z.output<Schema> {
  const result = schema.safeParse(input)
  if (result.success) return result.data
  const problems = optionProblems(schema, result.error, input)
  const words = problems.map(({ path, text }) => (path.length === 0 ? text : `"${path.join('.')}" ${text}`))
  throw new BackhaulError(code, `Cannot use ${subject}: ${words.join('; ')}`)
}

/** All problems of a failed parse, in words, each with its place. */
export function optionProblems(schema: z.ZodType, error: z.ZodError, input: unknown): OptionProblem[] {
  return error.issues.flatMap((issue) => problemsOf(schema, issue, input))
}

function problemsOf(schema: z.ZodType, issue: z.core.$ZodIssue, input: unknown): OptionProblem[] {
  if (issue.code === 'unrecognized_keys') {
    const known = knownKeys(schema, issue.path)
    return issue.keys.map((key) => ({
      path: [...issue.path, key],
      text: `is unknown${suggestion(key, known) || `, known are ${known.join(', ')}`}`,
    }))
  }
  if (issue.code === 'invalid_union') return [unionProblem(issue, input)]
  const missing = issue.code === 'invalid_type' && valueAt(input, issue.path) === undefined
  return [{ path: issue.path, text: missing ? `is missing: ${plain(issue.message)}` : plain(issue.message) }]
}

/** Of the branches of a union, tells what the one that came furthest missed. */
function unionProblem(issue: z.core.$ZodIssueInvalidUnion, input: unknown): OptionProblem {
  const value = valueAt(input, issue.path)
  const branches = issue.errors
    .map((issues) => issues[0])
    .filter((first): first is z.core.$ZodIssue => first !== undefined)
  const furthest = branches.find((first) => first.code !== 'invalid_type' || first.path.length > 0)
  if (value === undefined) return { path: issue.path, text: 'is missing' }
  if (furthest !== undefined) {
    return { path: [...issue.path, ...furthest.path], text: plain(furthest.message) }
  }
  return { path: issue.path, text: branches.map((first) => plain(first.message)).join(', or ') }
}

function plain(message: string): string {
  const text = message
    .replace(/^Invalid input: expected /, 'must be ')
    .replace(/^Invalid option: expected one of /, 'must be one of ')
    .replace(/^Invalid option: expected /, 'must be ')
    .replace(/, received .*$/, '')
    .replace(/^Too (small|big): expected \w+ to /, 'must ')
  return text.charAt(0).toLowerCase() + text.slice(1)
}

function valueAt(input: unknown, path: readonly PropertyKey[]): unknown {
  let value = input
  for (const key of path) {
    if (typeof value !== 'object' || value === null) return undefined
    value = Reflect.get(value, key)
  }
  return value
}

/** The keys that a schema knows at a path; empty where it cannot tell. */
export function knownKeys(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
  let here: unknown = schema
  for (const key of path) here = childOf(unwrap(here), key)
  return shapesOf(unwrap(here)).flatMap((shape) => Object.keys(shape))
}

function childOf(schema: unknown, key: PropertyKey): unknown {
  if (schema instanceof z.ZodRecord) return schema.valueType
  if (schema instanceof z.ZodArray) return schema.element
  return shapesOf(schema).find((shape) => Object.hasOwn(shape, key))?.[String(key)]
}

function shapesOf(schema: unknown): Record<string, unknown>[] {
  if (schema instanceof z.ZodObject) return [schema.shape]
  if (schema instanceof z.ZodUnion)
    return schema.options.flatMap((option: unknown) => shapesOf(unwrap(option)))
  return []
}

function unwrap(schema: unknown): unknown {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodNullable) return unwrap(schema.unwrap())
  if (schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault) return unwrap(schema.unwrap())
  if (schema instanceof z.ZodPipe) return unwrap(schema.in)
  return schema
}
