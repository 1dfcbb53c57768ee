import assert from 'node:assert/strict'
import { test } from 'node:test'

import { SharedConnections, signatureOf } from '../../src/connection/index.ts'

function closeables() {
  const closed: number[] = []
  let made = 0
  const make = () => {
    const id = (made += 1)
    return { id, close: async () => void closed.push(id) }
  }
  return { closed, make }
}

test('acquire() gives one connection to all holders of a key, and the last release closes it', async () => {
  const { closed, make } = closeables()
  const shared = new SharedConnections<ReturnType<typeof make>>()
  const first = shared.acquire('a', make)
  const second = shared.acquire('a', make)
  const other = shared.acquire('b', make)
  assert.equal(first.connection, second.connection)
  assert.notEqual(first.connection, other.connection)
  assert.equal(shared.size, 2)
  await Promise.all([first.release(), first.release()])
  assert.deepEqual(closed, [])
  await second.release()
  assert.deepEqual(closed, [1])
  assert.equal(shared.size, 1)
  assert.equal(shared.acquire('a', make).connection.id, 3)
})

test('acquire() makes a new connection while the old one of its key is closing', async () => {
  const { make } = closeables()
  const shared = new SharedConnections<ReturnType<typeof make>>()
  const lease = shared.acquire('a', make)
  const released = lease.release()
  assert.equal(shared.acquire('a', make).connection.id, 2)
  await released
  await lease.release()
  assert.equal(shared.size, 1)
})

test('a connection that cannot be made is not held', () => {
  const shared = new SharedConnections()
  const fail = () => {
    throw new Error('no')
  }
  assert.throws(() => shared.acquire('a', fail), /no/)
  assert.equal(shared.size, 0)
})

test('signatureOf() is equal for equal options in any order, and shows no secret', () => {
  const one = signatureOf('mqtt x', {
    tls: { ca: ['A'], key: 'K' },
    auth: { user: 'u', password: 'hunter2' },
  })
  const two = signatureOf('mqtt x', {
    auth: { password: 'hunter2', user: 'u', passwordFile: undefined },
    tls: { key: 'K', ca: ['A'] },
  })
  assert.equal(one, two)
  assert.match(one, /^[0-9a-f]{64}$/)
})

test('signatureOf() differs when anything does', () => {
  const different = [
    signatureOf('mqtt x', undefined),
    signatureOf('mqtt x', null),
    signatureOf('mqtt x', {}),
    signatureOf('mqtt x', []),
    signatureOf('mqtt y', {}),
    signatureOf('mqtt x', { a: 1 }),
    signatureOf('mqtt x', { a: '1' }),
    signatureOf('mqtt x', { a: true }),
    signatureOf('mqtt x', { a: 'true' }),
    signatureOf('mqtt x', { a: ['1'] }),
    signatureOf('mqtt x', { a: { 0: '1' } }),
    signatureOf('mqtt x', { a: '1', b: '2' }),
    signatureOf('mqtt x', { a: '1b2' }),
    signatureOf('mqtt x', { a: Uint8Array.of(1) }),
    signatureOf('mqtt x', { a: Uint8Array.of(1, 2) }),
  ]
  assert.equal(new Set(different).size, different.length)
})
