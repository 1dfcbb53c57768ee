import assert from 'node:assert/strict'
import process from 'node:process'
import { test } from 'node:test'

import { findCommand, without } from './index.ts'

test('without() gives the reason to skip where a command is missing, and throws where brokers are required', (t) => {
  const before = process.env['BROKERS']
  t.after(() => {
    if (before === undefined) delete process.env['BROKERS']
    else process.env['BROKERS'] = before
  })
  delete process.env['BROKERS']
  assert.equal(without('node'), false)
  assert.match(
    String(without('node', 'no-such-broker')),
    /^no-such-broker not installed: run node .*setup-brokers/,
  )
  process.env['BROKERS'] = 'required'
  assert.equal(without('node'), false)
  assert.throws(() => without('no-such-broker'), /BROKERS=required: no-such-broker not installed/)
  assert.equal(findCommand('no-such-broker'), undefined)
})
