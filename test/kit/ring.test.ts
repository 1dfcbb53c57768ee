import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'

import { Ring } from '../../src/kit/ring.ts'

test('Ring behaves as an array does, for any sequence of steps', () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('push' as const), value: fc.integer() }),
    fc.record({ kind: fc.constant('unshift' as const), value: fc.integer() }),
    fc.record({ kind: fc.constantFrom('shift' as const, 'clear' as const) }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const ring = new Ring<number>()
      let model: number[] = []
      for (const taken of steps) {
        if (taken.kind === 'push') {
          ring.push(taken.value)
          model.push(taken.value)
        } else if (taken.kind === 'unshift') {
          ring.unshift(taken.value)
          model.unshift(taken.value)
        } else if (taken.kind === 'shift') {
          assert.equal(ring.shift(), model.shift())
        } else if (model.length > 20) {
          ring.clear()
          model = []
        }
        assert.equal(ring.length, model.length)
        assert.equal(ring.peek(), model[0])
        assert.equal(ring.peek(model.length - 1), model.at(-1))
      }
      assert.equal(ring.peek(model.length), undefined)
    }),
  )
})
