import { z } from 'zod'

import type { ErrorCode, OptionProblem } from '../contract/index.ts'
import { BackhaulError } from '../contract/index.ts'
import { parseDuration } from './duration.ts'
import { nearest } from './nearest.ts'

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
      .regex(/^\d{1,12}(\.\d{1,9})?\s*(ms|s|m|h|d)?$/, 'must be a length of time such as 500ms, 5s or 2m')
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
  throw new BackhaulError(code, `Cannot use ${subject}: ${words.join('; ')}`, undefined, { problems })
}

/** All problems of a failed parse, in words, each with its place. No value is repeated in them. */
export function optionProblems(schema: z.ZodType, error: z.ZodError, input: unknown): OptionProblem[] {
  return error.issues.flatMap((issue) => problemsOf(schema, issue, input))
}

function problemsOf(schema: z.ZodType, issue: z.core.$ZodIssue, input: unknown): OptionProblem[] {
  const { path } = issue
  if (issue.code === 'unrecognized_keys') {
    const known = knownKeys(schema, path, input)
    return issue.keys.map((key) => {
      const near = nearest(key, known)
      const hint = near === undefined ? `known are ${known.join(', ')}` : `did you mean "${near}"?`
      return { path: [...path, key], kind: 'unknown', text: `is unknown, ${hint}`, nearest: near }
    })
  }
  if (issue.code === 'invalid_key') {
    return [invalid(path, `cannot be a name here: ${plain(issue.issues[0]?.message ?? '')}`)]
  }
  const value = valueAt(input, path)
  if (issue.code === 'invalid_union') return [unionProblem(issue, value)]
  if (issue.code === 'invalid_value') return [choiceProblem(path, issue.values, value)]
  if (issue.code === 'invalid_type' && value === undefined) {
    return [missing(path, `is missing: ${plain(issue.message)}`)]
  }
  return [invalid(path, plain(issue.message))]
}

/** A union without a discriminator tells what the branch that came furthest missed. */
function unionProblem(issue: z.core.$ZodIssueInvalidUnion, value: unknown): OptionProblem {
  if ('options' in issue && Array.isArray(issue.options))
    return choiceProblem(issue.path, issue.options, value)
  const branches = issue.errors
    .map((issues) => issues[0])
    .filter((first): first is z.core.$ZodIssue => first !== undefined)
  const furthest = branches.find((first) => first.code !== 'invalid_type' || first.path.length > 0)
  if (value === undefined) return missing(issue.path, 'is missing')
  if (furthest !== undefined) return invalid([...issue.path, ...furthest.path], plain(furthest.message))
  return invalid(issue.path, branches.map((first) => plain(first.message)).join(', or '))
}

function choiceProblem(
  path: readonly PropertyKey[],
  choices: readonly unknown[],
  value: unknown,
): OptionProblem {
  const rule = `must be ${choices.length > 1 ? 'one of ' : ''}${choices.map((choice) => JSON.stringify(choice)).join('|')}`
  if (value === undefined) return missing(path, `is missing: ${rule}`)
  const words = choices.filter((choice) => typeof choice === 'string')
  // of a word of one or two letters nearly everything is near
  const near = typeof value === 'string' && value.length > 2 ? nearest(value, words) : undefined
  const text = near === undefined ? rule : `${rule}, did you mean "${near}"?`
  return { path, kind: 'invalid', text, nearest: near }
}

function missing(path: readonly PropertyKey[], text: string): OptionProblem {
  return { path, kind: 'missing', text, nearest: undefined }
}

function invalid(path: readonly PropertyKey[], text: string): OptionProblem {
  return { path, kind: 'invalid', text, nearest: undefined }
}

function plain(message: string): string {
  const text = message
    .replace(/^Invalid input: expected /, 'must be ')
    .replace(/^Invalid option: expected one of /, 'must be one of ')
    .replace(/^Invalid option: expected /, 'must be ')
    .replace(/, received .*$/, '')
    .replace(/^must be int$/, 'must be a whole number')
    .replace(/^must be (?:record|object)$/, 'must be an object')
    .replace(/^must be array$/, 'must be a list')
    .replace(/^must be (string|number|boolean)$/, 'must be a $1')
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
function knownKeys(schema: z.ZodType, path: readonly PropertyKey[], input: unknown): string[] {
  let here: unknown = schema
  let value = input
  for (const key of path) {
    here = childOf(unwrap(here), key, value)
    value = valueAt(value, [key])
  }
  return shapesOf(unwrap(here), value).flatMap((shape) => Object.keys(shape))
}

function childOf(schema: unknown, key: PropertyKey, value: unknown): unknown {
  if (schema instanceof z.ZodRecord) return schema.valueType
  if (schema instanceof z.ZodArray) return schema.element
  return shapesOf(schema, value).find((shape) => Object.hasOwn(shape, key))?.[String(key)]
}

/** The shapes that a value may have; of a discriminated union only the one that it says. */
function shapesOf(schema: unknown, value: unknown): Record<string, unknown>[] {
  if (schema instanceof z.ZodObject) return [schema.shape]
  if (schema instanceof z.ZodDiscriminatedUnion) {
    const { discriminator } = schema.def
    const tag = valueAt(value, [discriminator])
    return schema.options
      .flatMap((option: unknown) => shapesOf(unwrap(option), value))
      .filter((shape) => {
        const literal = shape[discriminator]
        return literal instanceof z.ZodLiteral && new Set<unknown>(literal.values).has(tag)
      })
  }
  if (schema instanceof z.ZodUnion) {
    return schema.options.flatMap((option: unknown) => shapesOf(unwrap(option), value))
  }
  return []
}

function unwrap(schema: unknown): unknown {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodNullable) return unwrap(schema.unwrap())
  if (schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault) return unwrap(schema.unwrap())
  if (schema instanceof z.ZodPipe) return unwrap(schema.in)
  return schema
}
