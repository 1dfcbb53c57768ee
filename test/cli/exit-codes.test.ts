import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'

import { EXIT_CODE_OF, EXIT_CODES } from '../../src/cli/exit-codes.ts'
import { errorText, exitCodeOf } from '../../src/cli/print-error.ts'
import { BackhaulError, ERRORS } from '../../src/contract/index.ts'
import { projectFile } from '../architecture/source.ts'
import { cli } from './fake-io.ts'

test('every error code has an exit code that the table explains', () => {
  for (const code of Object.keys(ERRORS)) assert.ok(code in EXIT_CODE_OF, code)
  for (const exitCode of Object.values(EXIT_CODE_OF)) assert.ok(exitCode in EXIT_CODES, String(exitCode))
})

test('docs/cli.md and --help hold the table of exit codes', async () => {
  const page = projectFile('docs/cli.md')
  const help = (await cli('--help')).out
  for (const [code, meaning] of Object.entries(EXIT_CODES)) {
    const codes = Object.entries(EXIT_CODE_OF)
      .filter(([, exitCode]) => String(exitCode) === code)
      .map(([name]) => `\`${name}\``)
    assert.ok(
      page.includes(`| ${code} | ${meaning} | ${codes.join(' ')} |`),
      `docs/cli.md lacks | ${code} | ${meaning} | ${codes.join(' ')} |`,
    )
    assert.ok(help.includes(meaning), `--help lacks ${meaning}`)
  }
})

test('errorText() is one line and a hint, whatever the message holds, or one line of JSON', () => {
  const error = new BackhaulError('REFUSED', 'Cannot send: "a\nerror FORGED: x\u001b[2J"', undefined, {
    brokerReason: 'Quota exceeded',
  })
  assert.deepEqual(errorText(error, false).split('\n'), [
    'error REFUSED: Cannot send: "a error FORGED: x [2J"',
    '  hint: See its reason',
    '',
  ])
  assert.deepEqual(JSON.parse(errorText(error, true)), {
    error: {
      code: 'REFUSED',
      message: 'Cannot send: "a error FORGED: x [2J"',
      hint: 'See its reason',
      retryable: true,
      brokerReason: 'Quota exceeded',
      exitCode: 69,
    },
  })
})

test('what is no error of ours is a bug and ends with 70', () => {
  assert.equal(exitCodeOf(new TypeError('x is not a function')), 70)
  assert.match(
    errorText(new TypeError('x is not a function'), false),
    /^error INTERNAL: Cannot go on: x is not/,
  )
})

test('--version writes the version of the package', async () => {
  const { version }: { version: string } = JSON.parse(readFileSync('package.json', 'utf8'))
  assert.deepEqual(await cli('--version'), { code: 0, out: `${version}\n`, err: '' })
})
