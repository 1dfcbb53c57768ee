import { readFileSync } from 'node:fs'
import { basename, dirname, resolve } from 'node:path'
import process from 'node:process'

import type { OptionProblem } from '../contract/index.ts'
import { BackhaulError } from '../contract/index.ts'
import { optionProblems } from '../kit/options.ts'
import { isDeepStream, withLibraryNames } from './deepstream/detect.ts'
import { importDeepStream } from './deepstream/import.ts'
import type { ResolveConnection } from './checks.ts'
import { crossCheck } from './checks.ts'
import { withAbsoluteFiles } from './files.ts'
import type { Config } from './model.ts'
import { configSchema } from './model.ts'
import type { Problem } from './problem.ts'
import { configError } from './problem.ts'
import { resolveReferences, unreadable } from './references.ts'
import type { Path } from './source.ts'
import { problemAt } from './source.ts'
import type { YamlSource } from './yaml.ts'
import { readYaml } from './yaml.ts'

/** A configuration that does not come from a file. */
export interface ConfigText {
  /** What it says. */
  readonly text: string | Uint8Array
  /** What problems call it. @default "configuration" */
  readonly name?: string
  /** What paths are relative to. @default the current folder */
  readonly folder?: string
}

/** What reading a configuration uses of its surroundings. */
export interface ConfigSurroundings {
  /** The client's own check of a connection. */
  readonly resolve: ResolveConnection
  /** Environment variables. @default those of the process */
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Where the detections of a file of DeepStream come from: `stdin`, `unix:PATH`, `tcp:PORT`, `file:PATH`. @default 'stdin' */
  readonly input?: string | undefined
  /** The device of a file of DeepStream. @default the host's name */
  readonly deviceId?: string | undefined
}

/** What a configuration comes to. */
export interface LintResult {
  /** What problems call the file. */
  readonly name: string
  /** Whose form the file is in. */
  readonly dialect: 'backhaul' | 'deepstream'
  /** The configuration; `undefined` where an error is among the problems. */
  readonly config: Config | undefined
  /** Everything that is wrong, in the order of the file. */
  readonly problems: readonly Problem[]
}

/** A configuration that can be run. */
export interface LoadedConfig {
  /** The configuration. */
  readonly config: Config
  /** What an operator should look at. */
  readonly warnings: readonly Problem[]
  /** Whose form the file is in. */
  readonly dialect: 'backhaul' | 'deepstream'
}

/**
 * Reads a configuration and finds everything that is wrong with it. Opens no connection.
 *
 * @param source - the path of a file, or a text
 * @throws BackhaulError `FILE_UNREADABLE` when the file itself cannot be read.
 */
export async function lintConfig(
  source: string | ConfigText,
  surroundings: ConfigSurroundings,
): Promise<LintResult> {
  const { bytes, name, folder } = typeof source === 'string' ? readSource(source) : textSource(source)
  const {
    data,
    places,
    problems: faults,
    resolve: resolveConnection,
    dialect,
  } = readTree(name, bytes, surroundings)
  if (data === undefined) return { name, dialect, config: undefined, problems: faults }

  const resolved = resolveReferences(data, places, { env: surroundings.env ?? process.env, folder })
  const parsed = configSchema.safeParse(resolved.data)
  const misfits = parsed.success
    ? []
    : optionProblems(configSchema, parsed.error, resolved.data)
        .filter((problem) => !isInside(problem.path, faults, resolved.problems))
        .map((problem) => problemAt(places, withQuotes(problem, resolved.data)))
  const checks = await crossCheck({ resolved, places, folder, resolve: resolveConnection })

  const problems = [...faults, ...resolved.problems, ...misfits, ...checks].toSorted(
    (a, b) => a.line - b.line || a.column - b.column,
  )
  const failed = problems.some(({ severity }) => severity === 'error')
  const config = parsed.success && !failed ? withAbsoluteFiles(parsed.data, folder) : undefined
  return { name, dialect, config, problems }
}

/**
 * Reads a configuration that is to be run.
 *
 * @param source - the path of a file, or a text
 * @throws BackhaulError `INVALID_CONFIG` with every error, a line each as `file:line:column: message`;
 * `FILE_UNREADABLE` when the file itself cannot be read.
 */
export async function loadConfig(
  source: string | ConfigText,
  surroundings: ConfigSurroundings,
): Promise<LoadedConfig> {
  const { config, problems, name, dialect } = await lintConfig(source, surroundings)
  if (config === undefined) {
    const errors = problems.filter(({ severity }) => severity === 'error')
    throw configError(name, errors)
  }
  return { config, warnings: problems, dialect }
}

interface Tree extends YamlSource {
  /** The check of a connection. */
  readonly resolve: ResolveConnection
  /** Whose form it is in. */
  readonly dialect: 'backhaul' | 'deepstream'
}

/** What a file says: in our own form, or in that of DeepStream. */
function readTree(name: string, bytes: Uint8Array, surroundings: ConfigSurroundings): Tree {
  const { env = process.env, input, deviceId, resolve: resolveConnection } = surroundings
  if (isDeepStream(name, bytes)) {
    const imported = importDeepStream(name, bytes, { env, input, deviceId, workingFolder: process.cwd() })
    return { ...imported, resolve: withLibraryNames(resolveConnection), dialect: 'deepstream' }
  }
  const tree: Tree = { ...readYaml(bytes), resolve: resolveConnection, dialect: 'backhaul' }
  if (input === undefined) return tree
  const fault = problemOf('the option --input is for files of DeepStream: name inputs in this file')
  return { ...tree, problems: [...tree.problems, fault] }
}

function problemOf(message: string): Problem {
  return { line: 1, column: 1, severity: 'error', code: 'USAGE', path: '', message, suggestion: undefined }
}

interface Source {
  readonly bytes: Uint8Array
  readonly name: string
  readonly folder: string
}

function readSource(path: string): Source {
  try {
    return { bytes: readFileSync(path), name: path, folder: dirname(resolve(path)) }
  } catch (cause) {
    throw new BackhaulError(
      'FILE_UNREADABLE',
      `Cannot read "${path}": the file ${whyUnreadable(cause, path)}`,
      cause,
    )
  }
}

function whyUnreadable(cause: unknown, path: string): string {
  const missing = cause instanceof Error && 'code' in cause && cause.code === 'ENOENT'
  return missing ? `is not there, check the path or make "${basename(path)}"` : unreadable(cause, path)
}

function textSource({ text, name = 'configuration', folder = process.cwd() }: ConfigText): Source {
  return { bytes: typeof text === 'string' ? Buffer.from(text) : text, name, folder }
}

/** YAML reads an unquoted `{sensorId}/x` as a map: says so where a text is wanted. */
function withQuotes(problem: OptionProblem, data: unknown): OptionProblem {
  let value = data
  for (const key of problem.path) {
    value = typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined
  }
  const isCollection = typeof value === 'object' && value !== null
  if (!isCollection || !problem.text.startsWith('must be a string')) return problem
  return { ...problem, text: `${problem.text}, put quotes around a text that begins with a bracket` }
}

/** Whether an entry has been reported for what it stands for, so that its value means nothing. */
function isInside(path: Path, ...reported: readonly (readonly Problem[])[]): boolean {
  const shown = path.map(String).join('.')
  return reported.some((problems) =>
    problems.some((problem) => problem.path !== '' && shown === problem.path),
  )
}
