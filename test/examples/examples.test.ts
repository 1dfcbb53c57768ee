import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import process from 'node:process'
import { test } from 'node:test'
import { promisify } from 'node:util'

import { projectRoot } from '../architecture/source.ts'

const run = promisify(execFile)
const example = join(projectRoot, 'build/examples/send-and-subscribe.js')
const nvmsgbroker = join(projectRoot, 'build/examples/nvmsgbroker.js')
const streams = join(projectRoot, 'build/examples/streams.js')

test('the example of the library sends, hears its own message and closes', async () => {
  const { stdout } = await run(process.execPath, [example])
  assert.match(
    stdout,
    /^the broker acknowledged [0-9A-Z]{26}\nexample\/gate-7\/greetings says hello\ndelivered 1 of 1\n$/,
  )
})

test('the example of the library tells a mistake by its code', async () => {
  await assert.rejects(run(process.execPath, [example, 'memry:x']), (error) => {
    assert.ok(error instanceof Error && 'stderr' in error && 'code' in error)
    assert.match(String(error.stderr), /INVALID_ADDRESS: .*did you mean "memory"/)
    assert.equal(error.code, 1)
    return true
  })
})

test('the example of streams sends its lines and reads them', async () => {
  const { stdout } = await run(process.execPath, [streams])
  assert.equal(stdout, 'sent 3 lines\nfirst\nsecond\nlast\n')
})

test("the example of DeepStream's library sends, is told what became of it and hears it", async () => {
  const { stdout, stderr } = await run(process.execPath, [nvmsgbroker])
  assert.deepEqual(stdout.trim().split('\n').toSorted(), [
    'OK detections: {"sensor":{"id":"gate-7"}}',
    'frame 17: OK',
    'nvmsgbroker 2.0, MEMORY',
  ])
  assert.match(stderr, /New Connection created successfully\nDisconnection Success\n$/)
})
