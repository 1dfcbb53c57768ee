import { isUtf8 } from 'node:buffer'

import type { Document, Node, Pair, YAMLError } from 'yaml'
import { isAlias, isMap, isPair, isScalar, isSeq, Lexer, LineCounter, parseDocument } from 'yaml'

import type { Path } from './source.ts'
import { Places, shownPath } from './source.ts'
import type { Position, Problem } from './problem.ts'

/** The largest configuration file in bytes. */
const MAX_CONFIG_BYTES = 256 * 1024

const MAX_FLOW_DEPTH = 32
const MAX_INDENT = 128
const MAX_INDICATORS_A_LINE = 16

/** A configuration file, read as YAML. */
export interface YamlSource {
  /** What it says as plain data; `undefined` where it cannot be read. */
  readonly data: unknown
  /** Where everything stands. */
  readonly places: Places
  /** What is wrong with it as YAML. */
  readonly problems: readonly Problem[]
}

/** How YAML is read. */
export interface YamlReading {
  /** Every value is the text that is written, as in the configuration files of DeepStream. @default false */
  readonly textsOnly?: boolean
}

/** Reads the bytes of a file. Never throws, whatever they are. */
export function readYaml(bytes: Uint8Array, reading: YamlReading = {}): YamlSource {
  const places = new Places()
  const fail = (message: string, position: Position = { line: 1, column: 1 }): YamlSource => ({
    data: undefined,
    places,
    problems: [problem(position, message)],
  })
  if (bytes.length > MAX_CONFIG_BYTES) {
    return fail(`the file has ${bytes.length} bytes, keep it within ${MAX_CONFIG_BYTES}`)
  }
  if (!isUtf8(bytes)) {
    return fail('the line is not UTF-8, save the file as UTF-8', { line: firstBadLine(bytes), column: 1 })
  }
  const text = new TextDecoder().decode(bytes)
  const tooDeep = firstTooDeepLine(text)
  if (tooDeep !== undefined) {
    return fail('the line is nested too deep, there is no such configuration', { line: tooDeep, column: 1 })
  }
  return readText(text, places, fail, reading)
}

function readText(
  text: string,
  places: Places,
  fail: (message: string) => YamlSource,
  { textsOnly = false }: YamlReading,
): YamlSource {
  const lines = new LineCounter()
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false, // they would quote the file, which may hold secrets
    stringKeys: true,
    uniqueKeys: false, // checked below, in linear time
    version: '1.2',
    ...(textsOnly && { schema: 'failsafe' as const }),
  })
  const at = (offset: number): Position => {
    const { line, col } = lines.linePos(offset)
    return { line: Math.max(line, 1), column: Math.max(col, 1) }
  }
  if (document.errors.length > 0)
    return { data: undefined, places, problems: syntaxProblems(document.errors, at) }
  if (document.contents === null)
    return fail(textsOnly ? 'the file is empty' : 'the file is empty, begin it with version: 1')
  const problems: Problem[] = versionProblems(document)
  const reader = new TreeReader(places, problems, at)
  return { data: reader.read(document.contents, []), places, problems }
}

/** Turns nodes into plain data, notes where they stand, and refuses what makes two readers disagree. */
class TreeReader {
  readonly #places: Places
  readonly #problems: Problem[]
  readonly #at: (offset: number) => Position

  constructor(places: Places, problems: Problem[], at: (offset: number) => Position) {
    this.#places = places
    this.#problems = problems
    this.#at = at
  }

  read(node: unknown, path: Path): unknown {
    if (isAlias(node)) {
      this.#refuse(node, path, 'an alias is not allowed here, write the value out')
      return null
    }
    if (isScalar(node)) {
      this.#checkProperties(node, path)
      return node.value
    }
    if (isMap(node)) {
      this.#checkProperties(node, path)
      return this.#readMap(node.items, path)
    }
    if (isSeq(node)) {
      this.#checkProperties(node, path)
      return node.items.map((item, index) => {
        const here = this.#position(item)
        this.#places.set([...path, index], { key: here, value: here })
        return this.read(item, [...path, index])
      })
    }
    return null
  }

  #readMap(items: readonly Pair[], path: Path): Record<string, unknown> {
    const data: Record<string, unknown> = {}
    const lines = new Map<string, number>()
    for (const pair of items) {
      if (!isPair(pair) || !isScalar(pair.key)) continue
      const name = String(pair.key.value)
      const key = this.#position(pair.key)
      const here = [...path, name]
      const earlier = lines.get(name)
      if (earlier !== undefined) {
        this.#problems.push(
          problem(key, `"${shownPath(here)}" is given twice, first in line ${earlier}, keep one`, here),
        )
        continue
      }
      lines.set(name, key.line)
      this.#checkProperties(pair.key, here)
      // a block stands where its name does: its own first line is already that of an entry
      const isBlock = (isMap(pair.value) || isSeq(pair.value)) && pair.value.flow !== true
      const value = isBlock || pair.value === null ? key : this.#position(pair.value)
      this.#places.set(here, { key, value })
      if (name === '__proto__')
        this.#problems.push(problem(key, '"__proto__" cannot be a name, choose another', here))
      else data[name] = this.read(pair.value, here)
    }
    return data
  }

  #checkProperties(node: Node, path: Path): void {
    if ('anchor' in node && node.anchor !== undefined) {
      this.#refuse(node, path, 'an anchor is not allowed here, write each value out')
    }
    if (node.tag !== undefined) this.#refuse(node, path, 'a tag is not allowed here, leave it out')
  }

  #refuse(node: Node, path: Path, message: string): void {
    this.#problems.push(problem(this.#position(node), message, path))
  }

  #position(node: unknown): Position {
    const range = typeof node === 'object' && node !== null && 'range' in node ? node.range : undefined
    const offset: unknown = Array.isArray(range) ? range[0] : 0
    return this.#at(typeof offset === 'number' ? offset : 0)
  }
}

const NOT_YAML = 'this is not YAML, look at this line and the one before'

const YAML_FAULTS: Readonly<Partial<Record<YAMLError['code'], string>>> = {
  TAB_AS_INDENT: 'a tab indents the line, use spaces',
  BAD_INDENT: 'the line does not align with the others, mend its indentation, or close the bracket before it',
  MISSING_CHAR: 'a quote, bracket, comma or colon is missing, look at this line and the one before',
  BLOCK_AS_IMPLICIT_KEY: 'the value has a ": " in it, put quotes around the value, or begin a new line',
  UNEXPECTED_TOKEN:
    'something follows a value that has ended, put quotes around a text that begins with a bracket, or close the one before',
  BAD_SCALAR_START: 'a text cannot begin with "@", "`" or "%", put quotes around it',
  BAD_DQ_ESCAPE: 'the escape is unknown, write \\\\ for a backslash, or use single quotes',
  MULTILINE_IMPLICIT_KEY: 'a colon is missing, look at this line and the one before',
  MULTIPLE_DOCS: 'a second document begins, keep one in the file',
  NON_STRING_KEY: 'a name must be text, put quotes around a name that begins with a bracket',
}

/** One mistake makes the parser stumble again and again: tabs explain everything after them, and a line is told of once. */
function syntaxProblems(errors: readonly YAMLError[], at: (offset: number) => Position): Problem[] {
  const tabs = errors.filter(({ code }) => code === 'TAB_AS_INDENT')
  const problems = new Map<number, Problem>()
  for (const { code, pos } of tabs.length > 0 ? tabs : errors) {
    const position = at(pos[0])
    if (!problems.has(position.line))
      problems.set(position.line, problem(position, YAML_FAULTS[code] ?? NOT_YAML))
  }
  return [...problems.values()]
}

function versionProblems(document: Document): Problem[] {
  const yaml = document.directives?.yaml
  return yaml?.explicit === true && yaml.version !== '1.2'
    ? [problem({ line: 1, column: 1 }, 'only YAML 1.2 is read, leave the %YAML line out')]
    : []
}

function problem(position: Position, message: string, path: Path = []): Problem {
  const place = { line: position.line, column: position.column }
  return {
    ...place,
    severity: 'error',
    code: 'INVALID_CONFIG',
    path: shownPath(path),
    message,
    suggestion: undefined,
  }
}

function firstBadLine(bytes: Uint8Array): number {
  let line = 1
  let start = 0
  for (;;) {
    const end = bytes.indexOf(0x0a, start)
    if (!isUtf8(bytes.subarray(start, end < 0 ? bytes.length : end))) return line
    if (end < 0) return 1
    start = end + 1
    line += 1
  }
}

/** The line in which nesting goes beyond any sensible depth, by the tokens of the text: brackets, indentation, dashes. */
function firstTooDeepLine(text: string): number | undefined {
  let line = 1
  let brackets = 0
  let indicators = 0
  let atStart = true
  for (const token of new Lexer().lex(text)) {
    if (token === '[' || token === '{') brackets += 1
    else if (token === ']' || token === '}') brackets = Math.max(0, brackets - 1)
    else if (token === '-' || token === '?' || token === ':') indicators += 1
    const indent = atStart && token.startsWith(' ') && token.trim() === '' ? token.length : 0
    if (brackets > MAX_FLOW_DEPTH || indicators > MAX_INDICATORS_A_LINE || indent > MAX_INDENT) return line
    for (let at = token.indexOf('\n'); at >= 0; at = token.indexOf('\n', at + 1)) line += 1
    atStart = token.endsWith('\n')
    // between brackets a line may hold any number of names
    if (atStart || brackets > 0) indicators = 0
  }
  return undefined
}
