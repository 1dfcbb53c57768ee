import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

import { errorsPage } from '../../scripts/errors-page.ts'
import { markdownFiles, projectFile, projectRoot, sourceFiles } from './source.ts'

const EXPORTED =
  /^export (?:declare )?(?:abstract )?(?:async )?(?:function\*?|class|interface|type|const) (\w+)/
const MEMBER =
  /^ {2}(?:readonly |static |async |get |set |\*)*(?!constructor|#|private |return|if|for|export|import)([a-zA-Z]\w*)\??[(:<]/

/**
 * Exported names, and members of exported interfaces and classes, that no doc comment precedes. Of several signatures
 * of one name only the first needs one.
 */
function undocumented(text: string): string[] {
  const lines = text.split('\n')
  const missing: string[] = []
  const seen = new Set<string>()
  let inside: string | undefined
  for (const [index, line] of lines.entries()) {
    const name = EXPORTED.exec(line)?.[1]
    const member = inside === undefined ? undefined : MEMBER.exec(line)?.[1]
    const found = name ?? (member === undefined ? undefined : `${inside}.${member}`)
    if (found !== undefined && !seen.has(found)) {
      seen.add(found)
      if (!isDocumented(lines, index)) missing.push(found)
    }
    if (name !== undefined) inside = /^export (?:class|interface).*\{$/.test(line) ? name : undefined
    else if (line === '}') inside = undefined
  }
  return missing
}

function isDocumented(lines: readonly string[], index: number): boolean {
  return lines[index - 1]?.trimEnd().endsWith('*/') === true
}

test('every exported name and member has a doc comment', () => {
  const missing = sourceFiles('src').flatMap(({ path, text }) =>
    undocumented(text).map((name) => `${path}: ${name}`),
  )
  assert.deepEqual(missing, [])
})

test('undocumented() sees what has no words', () => {
  assert.deepEqual(undocumented('export const a = 1\n/** Words. */\nexport const b = 2'), ['a'])
  assert.deepEqual(
    undocumented('/** Words. */\nexport interface A {\n  one: string\n  /** Two. */\n  two(): void\n}'),
    ['A.one'],
  )
})

test('no file is over 400 lines, none exports a default or everything', () => {
  const faults = ['src', 'test', 'scripts'].flatMap((folder) =>
    sourceFiles(folder).flatMap(({ path, text }) => [
      ...(text.split('\n').length > 401 ? [`${path} is too long`] : []),
      ...(/^export (?:default|\*)/m.test(text) ? [`${path} exports a default or everything`] : []),
    ]),
  )
  assert.deepEqual(faults, [])
})

test('docs/errors.md is made from the table of errors', () => {
  assert.equal(projectFile('docs/errors.md'), errorsPage(), 'run npm run docs')
})

test('every path that a page links to is there', () => {
  const pages = markdownFiles()
  const dead = pages.flatMap((page) =>
    [...projectFile(page).matchAll(/\]\((?!https?:|#)([^)#]+)/g)]
      .map(([, to = '']) => to)
      .filter((to) => !existsSync(join(projectRoot, page, '..', to)))
      .map((to) => `${page}: ${to}`),
  )
  assert.deepEqual(dead, [])
})
