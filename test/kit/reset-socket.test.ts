import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { connect, createServer } from 'node:net'
import type { TestContext } from 'node:test'
import { test } from 'node:test'

import { resetSocket } from '../../src/kit/reset-socket.ts'

async function pair(t: TestContext): Promise<{ readonly near: Socket; readonly far: Socket }> {
  const server = createServer({ allowHalfOpen: true })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  assert.ok(typeof address === 'object' && address !== null)
  const near = connect(address.port, '127.0.0.1')
  const [far]: Socket[] = await once(server, 'connection')
  assert.ok(far !== undefined)
  t.after(() => {
    near.destroy()
    far.destroy()
    server.close()
  })
  return { near, far }
}

test('resetSocket() resets an open connection', async (t) => {
  const { near, far } = await pair(t)
  const error = once(near, 'error')
  resetSocket(far)
  assert.equal(Reflect.get(Object((await error)[0]), 'code'), 'ECONNRESET')
})

test('resetSocket() closes a socket that has just begun to end, and one that is destroyed right after', async (t) => {
  for (const destroy of [false, true]) {
    const { near, far } = await pair(t)
    near.on('error', () => undefined)
    const faults: unknown[] = []
    far.on('error', (error) => faults.push(error))
    const closed = Promise.all([once(near, 'close'), once(far, 'close')])
    far.end()
    resetSocket(far)
    if (destroy) far.destroy()
    near.resume()
    near.end()
    await closed
    // a handle that refuses the reset would say EINVAL, and never close
    assert.deepEqual(faults, [])
  }
})

test('resetSocket() does nothing to a closed socket', async (t) => {
  const { near, far } = await pair(t)
  far.destroy()
  await once(far, 'close')
  resetSocket(far)
  near.destroy()
})
