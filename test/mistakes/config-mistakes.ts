import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'

import { resolveTarget } from '../../src/client/index.ts'
import { lintConfig } from '../../src/config/index.ts'
import type { ErrorCode } from '../../src/contract/index.ts'

/** A configuration without a mistake, for mistakes to be made in. */
const GOOD = `version: 1
device:
  id: gate-7
connections:
  cloud:
    url: mqtts://broker.example:8883
    tls:
      ca: certs/ca.pem
      cert: certs/device.pem
      key: certs/device.key
    options:
      qos: 1
      connectTimeoutMs: 5s
inputs:
  camera:
    type: stdin
    schema: detection
routes:
  - from: camera
    to: cloud
    topic: cameras/{sensorId}/detections
    payload: detection-minimal
    key: sensorId
commands:
  - connection: cloud
    topics: [ 'devices/{device}/commands' ]
    replyTopic: devices/{device}/replies
log:
  level: info
`

/** A mistake in one place of that file. */
export interface Mistake {
  /** What somebody did. */
  readonly what: string
  /** What is replaced in the good file, and by what. */
  readonly edit: readonly (readonly [from: string, to: string])[]
  /** Where it is found. */
  readonly at: readonly [line: number, column: number]
  /** The code of the problem. */
  readonly code: ErrorCode
  /** The key phrase of the fix. */
  readonly fix: string
  /** The nearest known name, where there is one. */
  readonly suggestion?: string
  /** Set where it does not keep the agent from starting. */
  readonly severity?: 'warning'
}

/** Makes each mistake and expects exactly one problem, at its place, with its code and what mends it. */
export function testMistakes(mistakes: readonly Mistake[]): void {
  const folder = mkdtempSync(join(tmpdir(), 'backhaul-mistakes-'))
  after(() => rmSync(folder, { recursive: true }))
  mkdirSync(join(folder, 'certs'))
  for (const name of ['ca.pem', 'device.pem', 'device.key']) writeFileSync(join(folder, 'certs', name), '')
  const env = { DEVICE_ID: 'gate-7' }
  const lint = (text: string) =>
    lintConfig({ text, name: 'agent.yml', folder }, { resolve: resolveTarget, env })

  test('the file that the mistakes are made in is without one', async () => {
    const { problems } = await lint(GOOD)
    assert.deepEqual(problems, [])
  })

  for (const { what, edit, at, code, fix, suggestion, severity = 'error' } of mistakes) {
    test(`lintConfig() finds ${what}`, async () => {
      const { problems, config } = await lint(edited(edit))
      assert.deepEqual(
        problems.map((problem) => ({
          at: [problem.line, problem.column],
          code: problem.code,
          severity: problem.severity,
        })),
        [{ at, code, severity }],
        JSON.stringify(problems),
      )
      for (const problem of problems) {
        assert.ok(problem.message.includes(fix), problem.message)
        assert.equal(problem.suggestion, suggestion, problem.message)
        assert.doesNotMatch(problem.message, /hunter2|\.$/)
      }
      assert.equal(config === undefined, severity === 'error')
    })
  }
}

function edited(edit: Mistake['edit']): string {
  let text = GOOD
  for (const [from, to] of edit) {
    assert.ok(text.includes(from), from)
    text = text.replace(from, () => to)
  }
  return text
}
