import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'

import { connect } from '../../src/client/index.ts'
import type { Delivery } from '../../src/contract/index.ts'

const QUICK = { maxDeliveries: 2, redeliveryDelayMs: 1 }

test('subscribe() sends what was given up to the dead-letter topic as it came, with its origin and the reason', async () => {
  await using client = await connect(`memory:${randomUUID()}`)
  await using dead = await client.subscribe('dead')
  const told: unknown[] = []
  let calls = 0
  const handler = ({ payload }: Delivery) => {
    calls += 1
    if (payload.length === 0) throw new Error('it is empty')
  }
  await client.subscribe('work', handler, {
    ...QUICK,
    deadLetterTopic: 'dead',
    onGaveUp: ({ id }, reason) => void told.push([id, String(reason)]),
  })
  await client.send({ topic: 'work', payload: 'good' })
  const { id } = await client.send({ topic: 'work', payload: '', key: 'k', headers: { a: 'b' } })
  const { value: letter } = await dead.next()
  assert.ok(letter)
  assert.deepEqual([letter.payload.length, letter.key, letter.id], [0, 'k', id])
  assert.deepEqual(letter.headers, {
    a: 'b',
    'backhaul-dead-letter-topic': 'work',
    'backhaul-dead-letter-reason': 'it is empty',
  })
  letter.ack()
  assert.equal(calls, 3)
  while (told.length === 0) await new Promise((resolve) => setImmediate(resolve))
  assert.deepEqual(told, [[id, 'Error: it is empty']])
})

test('subscribe() refuses a dead-letter topic that is none', async () => {
  await using client = await connect(`memory:${randomUUID()}`)
  await assert.rejects(client.subscribe('work', { deadLetterTopic: 'a/#' }), { code: 'INVALID_TOPIC' })
  await assert.rejects(client.subscribe('work', { deadLetterTopic: '' }), { code: 'INVALID_TOPIC' })
})
