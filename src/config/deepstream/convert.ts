import { readFileSync } from 'node:fs'
import { basename } from 'node:path'

import { BackhaulError } from '../../contract/index.ts'
import { unreadable } from '../references.ts'

import { Document, isMap, isNode } from 'yaml'

import type { Path } from '../source.ts'
import type { Imported, ImportSurroundings } from './import.ts'
import { importDeepStream } from './import.ts'
import type { Problem } from '../problem.ts'

/** A configuration of DeepStream in our own form. */
export interface Converted {
  /** The YAML, with a comment for each part that says where it came from; `undefined` where the file cannot be read. */
  readonly yaml: string | undefined
  /** What is wrong with the file, and what of it has no effect. */
  readonly problems: readonly Problem[]
}

/**
 * Turns a configuration file of DeepStream into our own YAML.
 *
 * @throws BackhaulError `FILE_UNREADABLE` where the file cannot be read.
 */
export function convertDeepStream(path: string, surroundings: ImportSurroundings): Converted {
  const imported = importDeepStream(path, read(path), surroundings)
  const { data, problems } = imported
  const failed = data === undefined || problems.some(({ severity }) => severity === 'error')
  const inOrder = problems.toSorted((a, b) => a.line - b.line || a.column - b.column)
  return {
    yaml: failed ? undefined : yamlOf(basename(path), { ...imported, problems: inOrder }),
    problems: inOrder,
  }
}

function read(path: string): Uint8Array {
  try {
    return readFileSync(path)
  } catch (cause) {
    throw new BackhaulError(
      'FILE_UNREADABLE',
      `Cannot read "${path}": the file ${unreadable(cause, path)}`,
      cause,
    )
  }
}

function yamlOf(name: string, { data, origins, problems }: Imported): string {
  const document = new Document(data)
  const left = problems.filter(({ severity }) => severity === 'warning')
  document.commentBefore = [
    ` Made of ${name} by backhaul convert.`,
    ...(left.length > 0 ? [' What of it has no effect:'] : []),
    ...left.map(({ line, message }) => ` - line ${line}: ${message.replaceAll('\n', ' ')}`),
  ].join('\n')
  for (const { path, text } of origins) note(document, path, ` ${text}`)
  return document.toString({ lineWidth: 0 })
}

/** Puts a comment before the entry at a path, or behind a plain value. */
function note(document: Document, path: Path, text: string): void {
  const parent = document.getIn(path.slice(0, -1), true)
  const name = path.at(-1)
  if (isMap(parent)) {
    const pair = parent.items.find(({ key }) => String(key) === String(name))
    if (pair !== undefined && isNode(pair.key)) pair.key.commentBefore = text
    else if (pair !== undefined) {
      const key = document.createNode(pair.key)
      key.commentBefore = text
      pair.key = key
    }
    return
  }
  const item = document.getIn(path, true)
  if (isNode(item)) item.commentBefore = text
}
