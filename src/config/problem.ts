import type { ErrorCode } from '../contract/index.ts'
import { BackhaulError } from '../contract/index.ts'

/** A place in a file; both count from 1. */
export interface Position {
  /** The line. */
  readonly line: number
  /** The column, in UTF-16 units. */
  readonly column: number
}

/** One thing that is wrong with a configuration file. */
export interface Problem extends Position {
  /** An error keeps the agent from starting, a warning does not. */
  readonly severity: 'error' | 'warning'
  /** What kind of mistake it is. */
  readonly code: ErrorCode
  /** The keys from the root to the place, joined by dots; empty for the file itself. */
  readonly path: string
  /** What is wrong and what mends it, without a final period. No value of a reference is in it. */
  readonly message: string
  /** The known name that is nearest to what was written, where one is near. */
  readonly suggestion: string | undefined
}

/** `file:line:column: message`, as editors and terminals understand it. */
export function formatProblem(file: string, problem: Problem): string {
  const kind = problem.severity === 'warning' ? 'warning: ' : ''
  return `${file}:${problem.line}:${problem.column}: ${kind}${problem.message}`
}

/** The one error that lists every problem, a line each. */
export function configError(file: string, problems: readonly Problem[]): BackhaulError {
  const count = problems.length === 1 ? 'it has a mistake' : `it has ${problems.length} mistakes`
  const lines = problems.map((problem) => `\n${formatProblem(file, problem)}`)
  return new BackhaulError(
    'INVALID_CONFIG',
    `Cannot use "${file}": ${count}, mend each of these${lines.join('')}`,
  )
}
