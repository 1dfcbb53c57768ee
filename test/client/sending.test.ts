import assert from 'node:assert/strict'
import { test } from 'node:test'

import { createMemoryBroker, memoryAdaptor } from '../../src/adaptors/memory/index.ts'
import { deliver, store } from '../../src/client/sending.ts'
import { Connection } from '../../src/connection/index.ts'
import type { Message } from '../../src/contract/index.ts'
import { parseAddress } from '../../src/kit/address.ts'
import { MemoryStore, Pump } from '../../src/outbox/index.ts'

const message: Message = {
  id: 'one',
  topic: 'a',
  payload: Buffer.from('x'),
  key: undefined,
  headers: undefined,
}

/** A pump over a broker in memory; `open` dials. */
async function setUp() {
  const broker = createMemoryBroker()
  const adaptor = memoryAdaptor(broker)
  const connection = new Connection({
    adaptor,
    options: adaptor.options(parseAddress('memory:x'), {}),
    credentials: () => Promise.resolve({ tls: undefined, auth: undefined }),
  })
  const pump = new Pump({
    publish: (batch, settle, signal) => connection.publish(batch, settle, signal),
    store: new MemoryStore(),
    limits: { maxMessages: 1 },
    parkRefused: false,
  })
  connection.onStatus((status) => {
    if (status.state === 'connected') pump.linkUp(status.capabilities)
    else pump.linkDown()
  })
  return {
    broker,
    pump,
    async open() {
      connection.open()
      for await (const status of connection.status()) if (status.state === 'connected') return
    },
    async [Symbol.asyncDispose]() {
      await pump.close()
      await connection.close()
    },
  }
}

test('deliver() tells TIMEOUT when the message never went out, and does not send it afterwards', async () => {
  await using parts = await setUp()
  await assert.rejects(deliver(parts.pump, message, { deadlineMs: 5 }, Date.now), { code: 'TIMEOUT' })
  await parts.open()
  await parts.pump.drain()
  assert.equal(parts.pump.account.dropped.withdrawn, 1)
  assert.equal(parts.pump.account.delivered, 0)
})

test('deliver() tells DELIVERY_UNKNOWN when the message went out', async () => {
  await using parts = await setUp()
  parts.broker.holdAcknowledgements(true)
  await parts.open()
  await assert.rejects(deliver(parts.pump, message, { deadlineMs: 20 }, Date.now), {
    code: 'DELIVERY_UNKNOWN',
  })
})

test('deliver() gives up at once by the signal, also while it waits for room', async () => {
  await using parts = await setUp()
  const abort = new AbortController()
  const first = deliver(parts.pump, message, { signal: abort.signal }, Date.now)
  const second = deliver(parts.pump, { ...message, id: 'two' }, { signal: abort.signal }, Date.now)
  abort.abort()
  await assert.rejects(first, { code: 'ABORTED' })
  await assert.rejects(second, { code: 'ABORTED' })
  assert.equal(parts.pump.account.accepted, 1)
  assert.throws(() => deliver(parts.pump, message, { signal: abort.signal }, Date.now), { code: 'ABORTED' })
})

test('deliver() rejects with the refusal of the broker', async () => {
  await using parts = await setUp()
  await parts.open()
  parts.broker.refuse({ scope: 'topic' })
  await assert.rejects(deliver(parts.pump, message, {}, Date.now), { code: 'NOT_AUTHORIZED' })
  await assert.rejects(deliver(parts.pump, message, { deadlineMs: 60_000 }, Date.now), {
    code: 'NOT_AUTHORIZED',
  })
})

test('store() resolves before delivery; its receipt tells the drop', async () => {
  await using parts = await setUp()
  const receipt = await store(parts.pump, message, {}, Date.now)
  await assert.rejects(store(parts.pump, { ...message, id: 'two' }, { deadlineMs: 5 }, Date.now), {
    code: 'TIMEOUT',
  })
  const told = assert.rejects(receipt.delivered(), { code: 'CLOSED' })
  await parts.pump.close()
  await told
  await assert.rejects(receipt.delivered(), { code: 'CLOSED' })
})
