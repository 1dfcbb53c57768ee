import assert from 'node:assert/strict'
import { test } from 'node:test'

import { createLogger } from '../../src/agent/index.ts'
import { limitLog } from '../../src/agent/log-limit.ts'
import { ManualClock } from '../support/manual-clock.ts'

test('createLogger() writes JSON lines with time and level, and no secrets', () => {
  const lines: string[] = []
  const logger = createLogger({ write: (line) => lines.push(line) }, 'info')
  logger.debug({}, 'not this one')
  const secrets = { password: 'hunter2', passphrase: 'hunter2', auth: { user: 'me', password: 'hunter2' } }
  logger.warn({ connection: 'cloud', ...secrets, tls: { key: 'hunter2' } }, 'told')
  assert.equal(lines.length, 1)
  const [line = ''] = lines
  assert.doesNotMatch(line, /hunter2/)
  const { level, msg, time, connection }: Record<string, unknown> = JSON.parse(line)
  assert.deepEqual([level, msg, connection], ['warn', 'told', 'cloud'])
  assert.match(String(time), /^\d{4}-\d\d-\d\dT/)
})

test('limitLog() bounds the lines of a period and says later how many it left out', () => {
  const clock = new ManualClock()
  const written: [Record<string, unknown>, string][] = []
  const log = limitLog((fields, text) => written.push([{ ...fields }, text]), clock, {
    lines: 2,
    periodMs: 1000,
  })
  for (let index = 0; index < 5; index += 1) log({ index }, 'noise')
  clock.advance(1000)
  log({ index: 5 }, 'noise')
  assert.deepEqual(
    written.map(([fields]) => fields),
    [{ index: 0 }, { index: 1 }, { index: 5, suppressed: 3 }],
  )
})
