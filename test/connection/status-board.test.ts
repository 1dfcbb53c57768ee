import assert from 'node:assert/strict'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { test } from 'node:test'

import type { Status } from '../../src/contract/index.ts'
import { StatusBoard } from '../../src/connection/status-board.ts'

const connecting = (attempt: number): Status => ({ state: 'connecting', attempt })

async function read(reader: AsyncIterable<Status>): Promise<(number | string)[]> {
  const seen: (number | string)[] = []
  for await (const status of reader) {
    seen.push(status.state === 'connecting' ? status.attempt : status.state)
  }
  return seen
}

test('read() gives the current status and every later one, to each of several readers, and ends after closed', async () => {
  const board = new StatusBoard('c', connecting(1))
  const readers = [read(board.read(undefined))]
  board.set(connecting(2))
  readers.push(read(board.read(undefined)))
  board.set(connecting(3))
  board.set({ state: 'closed' })
  board.set(connecting(4))
  readers.push(read(board.read(undefined)))
  assert.deepEqual(await Promise.all(readers), [[1, 2, 3, 'closed'], [2, 3, 'closed'], ['closed']])
})

test('a reader that is behind loses the oldest changes, never the newest', async () => {
  const board = new StatusBoard('c', connecting(0))
  const reader = board.read(undefined)
  for (let attempt = 1; attempt <= 1000; attempt += 1) board.set(connecting(attempt))
  board.set({ state: 'closed' })
  const seen = await read(reader)
  assert.equal(seen.length, 64)
  assert.deepEqual(seen.slice(-2), [1000, 'closed'])
})

test('a reading ends by its signal, while it waits and before it begins, and by return()', async () => {
  const board = new StatusBoard('c', connecting(1))
  const abort = new AbortController()
  const reading = read(board.read(abort.signal))
  await Promise.resolve()
  abort.abort()
  assert.deepEqual(await reading, [1])
  assert.deepEqual(await read(board.read(abort.signal)), [])
  const reader = board.read(undefined)
  await reader.next()
  const waiting = reader.next()
  await reader.return()
  assert.equal((await waiting).done, true)
})

test('listen() calls at once and until it is told to stop', () => {
  const board = new StatusBoard('c', connecting(1))
  const seen: Status[] = []
  const stop = board.listen((status) => seen.push(status))
  board.set(connecting(2))
  stop()
  board.set(connecting(3))
  assert.deepEqual(seen, [connecting(1), connecting(2)])
})

test('every listener sees changes in their order, also when a listener makes one', () => {
  const board = new StatusBoard('c', connecting(1))
  board.listen((status) => {
    if (status.state === 'connecting' && status.attempt === 2) board.set({ state: 'closed' })
  })
  const seen: string[] = []
  board.listen((status) => seen.push(status.state))
  board.set(connecting(2))
  assert.deepEqual(seen, ['connecting', 'connecting', 'closed'])
})

test('changes go to the diagnostics channel', () => {
  const board = new StatusBoard('mine', connecting(1))
  const seen: unknown[] = []
  const onStatus = (event: unknown) => seen.push(event)
  subscribe('backhaul:connection:status', onStatus)
  try {
    board.set(connecting(2))
  } finally {
    unsubscribe('backhaul:connection:status', onStatus)
  }
  board.set(connecting(3))
  assert.deepEqual(seen, [{ connection: 'mine', status: connecting(2) }])
})
