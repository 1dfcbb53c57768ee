import assert from 'node:assert/strict'
import { test } from 'node:test'

import { FakeProcess } from '../cli/fake-io.ts'

test('pub ends at the first message that cannot be sent, while stdin stays open and gives nothing', async () => {
  const process = new FakeProcess()
  process.stdin.write('one\n')
  assert.equal(await process.run('pub', 'memory:idle', 'a/#', '--deadline', '10s'), 64)
  assert.match(process.err, /error INVALID_TOPIC/)
})
