import assert from 'node:assert/strict'
import { test } from 'node:test'

import { AsyncQueue } from '../../src/kit/async-queue.ts'

test('AsyncQueue hands items out in order, to readers that came before and after them', async () => {
  const queue = new AsyncQueue<number>()
  const early = [queue.next(), queue.next()]
  for (const item of [1, 2, 3]) assert.equal(queue.push(item), true)
  assert.equal(queue.length, 1)
  const results = await Promise.all([...early, queue.next()])
  assert.deepEqual(
    results.map(({ value }) => value),
    [1, 2, 3],
  )
})

test('end() lets readers have what is queued, then ends them, and push() does nothing any more', async () => {
  const queue = new AsyncQueue<string>()
  queue.push('a')
  queue.end()
  queue.end()
  assert.equal(queue.push('b'), false)
  const seen: string[] = []
  for await (const item of queue) seen.push(item)
  assert.deepEqual(seen, ['a'])
})

test('end() ends readers that wait', async () => {
  const queue = new AsyncQueue<string>()
  const waiting = [queue.next(), queue.next()]
  queue.end()
  for (const result of await Promise.all(waiting)) assert.equal(result.done, true)
})

test('leaving the loop tells the maker once, which can take what nobody read', async () => {
  let left: number[] | undefined
  const queue: AsyncQueue<number> = new AsyncQueue(() => {
    assert.equal(left, undefined)
    left = queue.drain()
  })
  for (const item of [1, 2, 3]) queue.push(item)
  for await (const item of queue) {
    assert.equal(item, 1)
    break
  }
  await queue.return()
  assert.deepEqual(left, [2, 3])
  assert.deepEqual(await queue.next(), { done: true, value: undefined })
})

test('return() after the end tells nobody', async () => {
  let told = 0
  const queue = new AsyncQueue<number>(() => {
    told += 1
  })
  queue.end()
  await queue.return()
  assert.equal(told, 0)
})

test('unshift() hands an item out before all others, and does nothing after the end', async () => {
  const queue = new AsyncQueue<number>()
  queue.push(2)
  assert.equal(queue.unshift(1), true)
  queue.end()
  assert.equal(queue.unshift(0), false)
  assert.deepEqual(queue.drain(), [1, 2])
})

test('end() with an error tells it once, after what is queued', async () => {
  const queue = new AsyncQueue<number>()
  queue.push(1)
  queue.end(new Error('refused'))
  queue.end(new Error('too late'))
  assert.deepEqual(await queue.next(), { done: false, value: 1 })
  await assert.rejects(queue.next(), /refused/)
  assert.deepEqual(await queue.next(), { done: true, value: undefined })
})

test('end() with an error rejects one of the readers that wait, and ends the others', async () => {
  const queue = new AsyncQueue<number>()
  const waiting = [queue.next(), queue.next()]
  queue.end(new Error('refused'))
  const ends = await Promise.allSettled(waiting)
  assert.deepEqual(
    ends.map(({ status }) => status),
    ['rejected', 'fulfilled'],
  )
})
