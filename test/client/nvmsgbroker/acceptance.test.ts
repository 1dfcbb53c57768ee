import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

import { projectFile, projectRoot } from '../../architecture/source.ts'
import type { Protocol } from './acceptance.ts'
import { ACCEPTANCE, PROTOCOLS } from './acceptance.ts'

const FOLDER = 'test/client/nvmsgbroker'

/** The rows that the tests of a protocol begin with. */
function rowsOf(protocol: Protocol): ReadonlySet<string> {
  const file = join(projectRoot, FOLDER, `${protocol}.test.ts`)
  if (!existsSync(file)) return new Set()
  const text = readFileSync(file, 'utf8')
  const shared = text.includes('rowTests(') ? projectFile(`${FOLDER}/rows.ts`) : ''
  const names = `${text}${shared}`.matchAll(/(?:test\(\s*['"`]|^\s*\[')([A-C]\d{1,2})(?:: |',)/gm)
  return new Set([...names].map(([, name = '']) => name))
}

for (const [index, protocol] of PROTOCOLS.entries()) {
  test(`the table of acceptance tells what is tested over ${protocol}, and what is pending`, () => {
    const tested = rowsOf(protocol)
    const claimed = ACCEPTANCE.filter(({ states }) => states[index] === 'tested').map(({ name }) => name)
    assert.deepEqual([...tested].toSorted(), claimed.toSorted())
  })
}

test('docs/deepstream.md prints the table of acceptance', () => {
  const lines = ACCEPTANCE.map(
    ({ name, scenario, states }) => `| ${[name, scenario, ...states].join(' | ')} |`,
  )
  const head = `| row | scenario | ${PROTOCOLS.join(' | ')} |\n| --- | --- | --- | --- | --- | --- | --- |`
  assert.ok(
    projectFile('docs/deepstream.md').includes([head, ...lines].join('\n')),
    `it has not:\n${[head, ...lines].join('\n')}`,
  )
})
