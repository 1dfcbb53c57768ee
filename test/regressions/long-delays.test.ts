import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { test } from 'node:test'

import { connect } from '../../src/client/index.ts'
import { cli } from '../cli/fake-io.ts'

// a timer of Node.js that is longer than 24.8 days fires at once
test('close() with an endless drain time waits for what is pending instead of dropping it', async (t) => {
  const offer = createServer((socket) => socket.destroy())
  t.after(() => offer.close())
  offer.listen(0, '127.0.0.1')
  await once(offer, 'listening')
  const address = offer.address()
  assert.ok(typeof address === 'object' && address !== null)
  const client = await connect(`mqtt://127.0.0.1:${address.port}`, { lazy: true, outbox: {} })
  await client.send({ topic: 'a', payload: 'x' }, { expiresAfterMs: 1500 })
  await client.close({ drainTimeoutMs: Infinity })
  assert.deepEqual(client.account.dropped, { full: 0, expired: 1, withdrawn: 0, closed: 0, damaged: 0 })
})

test('send() takes a deadline of a month', async () => {
  const client = await connect('memory:month', { lazy: true })
  const receipt = await client.send({ topic: 'a', payload: 'x' }, { deadlineMs: 30 * 86_400_000 })
  await receipt.delivered()
  await client.close()
})

test('--deadline may be longer than connect() may take, and longer than a timer', async () => {
  for (const limit of ['2h', '60d']) {
    const { code, err } = await cli('pub', 'memory:long', 'a', '--message', 'x', '--deadline', limit)
    assert.equal(code, 0, err)
  }
})
