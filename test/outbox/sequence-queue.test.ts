import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'

import { Entry } from '../../src/outbox/entry.ts'
import { SequenceQueue } from '../../src/outbox/sequence-queue.ts'
import { message } from './scripted-link.ts'

function entry(sequence: number, deadlineMs?: number): Entry {
  const expiry = deadlineMs === undefined ? undefined : { atMs: 0, deadlineMs }
  const made = new Entry(message(`${sequence}`, 0), 2, expiry, undefined)
  made.sequence = sequence
  return made
}

test('SequenceQueue gives its entries in order, however they came and went', () => {
  const steps = fc.array(fc.oneof(fc.constant('shift' as const), fc.nat(200)), { maxLength: 300 })
  fc.assert(
    fc.property(steps, (steps) => {
      const queue = new SequenceQueue()
      const model = new Set<number>()
      for (const step of steps) {
        if (step === 'shift') {
          const least = model.size === 0 ? undefined : Math.min(...model)
          assert.equal(queue.peek()?.sequence, least)
          assert.equal(queue.shift()?.sequence, least)
          if (least !== undefined) model.delete(least)
        } else if (!model.has(step)) {
          queue.add(entry(step))
          model.add(step)
        }
        assert.equal(queue.length, model.size)
      }
    }),
  )
})

test('SequenceQueue takes out what has expired and tells the earliest deadline left', () => {
  const deadline = fc.option(fc.nat(20), { nil: undefined })
  fc.assert(
    fc.property(fc.array(deadline, { maxLength: 30 }), fc.nat(5), fc.nat(20), (deadlines, taken, now) => {
      const queue = new SequenceQueue()
      for (const [sequence, at] of deadlines.entries()) queue.add(entry(sequence, at))
      for (let n = 0; n < taken; n += 1) queue.shift()
      const rest = deadlines.map((at, sequence) => ({ at: at ?? Infinity, sequence })).slice(taken)
      const left = rest.filter(({ at }) => at > now)
      const { over, earliestMs } = queue.sweep(now)
      assert.deepEqual(
        over.map(({ sequence }) => sequence),
        rest.filter(({ at }) => at <= now).map(({ sequence }) => sequence),
      )
      assert.equal(earliestMs, Math.min(...left.map(({ at }) => at)))
      for (const { sequence } of left) assert.equal(queue.shift()?.sequence, sequence)
      assert.equal(queue.length, 0)
    }),
  )
})

test('SequenceQueue keeps its order over a long steady flow', () => {
  const queue = new SequenceQueue()
  let next = 0
  for (let added = 0; added < 20_000; added += 1) {
    queue.add(entry(added))
    if (queue.length > 3000) {
      assert.equal(queue.shift()?.sequence, next)
      next += 1
    }
  }
  for (; next < 20_000; next += 1) assert.equal(queue.shift()?.sequence, next)
  assert.equal(queue.peek(), undefined)
})
