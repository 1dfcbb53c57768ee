import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'

import { configPage } from '../../scripts/config-page.ts'
import { configSchemaText } from '../../scripts/config-schema.ts'
import { formatProblem, lintConfig } from '../../src/config/index.ts'
import { projectFile, projectRoot } from '../architecture/source.ts'

test('assets/backhaul.schema.json is made from the schema of the file', () => {
  assert.equal(projectFile('assets/backhaul.schema.json'), configSchemaText(), 'run npm run docs')
})

test('docs/config.md is made from the schema of the file', () => {
  assert.equal(projectFile('docs/config.md'), configPage(), 'run npm run docs')
})

test('docs/config.md has words for every key', () => {
  const empty = configPage()
    .split('\n')
    .filter((line) => line.startsWith('| `') && /\|\s*\|$/.test(line))
  assert.deepEqual(empty, [])
})

/** The adaptors' part is theirs to test: here any address will do. */
const resolve = () => Promise.resolve({ adaptor: { checkTopic: () => undefined } })

const examples = readdirSync(join(projectRoot, 'examples')).filter((name) => name.endsWith('.yml'))

test('there are examples of the file', () => {
  assert.ok(examples.length >= 2, examples.join())
})

for (const name of examples) {
  test(`examples/${name} is without a mistake`, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'backhaul-examples-'))
    try {
      mkdirSync(join(folder, 'certs'))
      for (const file of ['ca.pem', 'device.pem', 'device.key'])
        writeFileSync(join(folder, 'certs', file), '')
      const env = { BROKER_HOST: 'broker.example', KEY_PASSPHRASE: 'x' }
      const { problems, config } = await lintConfig(
        { text: projectFile(`examples/${name}`), folder },
        { resolve, env },
      )
      assert.deepEqual(
        problems.map((problem) => formatProblem(name, problem)),
        [],
      )
      assert.ok(config)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
}

test('the file that docs/config.md begins with is without a mistake', async () => {
  const [, text = ''] = /```yaml\n([^]*?)```/.exec(configPage()) ?? []
  const { problems } = await lintConfig({ text: text.replace(/^ {4}tls: .*\n/m, '') }, { resolve })
  assert.deepEqual(problems, [])
})
