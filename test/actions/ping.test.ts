import assert from 'node:assert/strict'
import { test } from 'node:test'

import { pingAction } from '../../src/actions/index.ts'
import type { Clock } from '../../src/contract/index.ts'

test('ping answers with device, time, uptime and version', async () => {
  let monotonic = 5000
  const clock: Clock = {
    now: () => Date.UTC(2026, 0, 2, 3, 4, 5, 6),
    monotonic: () => monotonic,
    after: () => ({ cancel: () => undefined }),
  }
  const ping = pingAction({ version: '1.2.3', clock })
  monotonic += 90_400
  const context = { deviceId: 'edge-1', signal: new AbortController().signal }
  assert.deepEqual(await ping.run({ id: '1', command: 'ping', args: {} }, context), {
    deviceId: 'edge-1',
    time: '2026-01-02T03:04:05.006Z',
    uptimeSeconds: 90,
    version: '1.2.3',
  })
})
