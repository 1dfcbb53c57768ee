import assert from 'node:assert/strict'
import { test } from 'node:test'

import { Ticket } from '../../src/outbox/index.ts'
import { FAILED, turn } from './scripted-link.ts'
import { setUp } from './set-up.ts'

test('Pump.withdraw() stops a message that waits, even without a link', async () => {
  const { clock, link, pump, ends, add, put, up } = setUp()
  const [early, late] = [new Ticket(), new Ticket()]
  void add('a', { ticket: early })
  void add('b', { ticket: late })
  put('c')
  pump.withdraw(early)
  clock.advance(1000)
  await turn()
  assert.deepEqual(ends, [['a', 'ABORTED']])
  pump.withdraw(late)
  up()
  await turn()
  assert.deepEqual(link.inFlight, ['c'])
  assert.deepEqual(pump.account.dropped, { full: 0, expired: 0, withdrawn: 2, closed: 0, damaged: 0 })
  clock.advance(1000)
  assert.equal(clock.timers, 0)
})

test('Pump.withdraw() leaves alone what is on its way, but does not send it again', async () => {
  const { clock, link, pump, ends, add, up } = setUp()
  up()
  const [taken, failing] = [new Ticket(), new Ticket()]
  void add('a', { ticket: taken })
  void add('b', { ticket: failing })
  assert.equal(taken.wentOut, false)
  await turn()
  assert.equal(taken.wentOut, true)
  pump.withdraw(taken)
  pump.withdraw(failing)
  clock.advance(2000)
  assert.deepEqual(link.inFlight, ['a', 'b'])
  link.settle('a')
  link.settle('b', FAILED)
  clock.advance(100)
  await turn()
  assert.deepEqual(ends, [
    ['a', 'delivered'],
    ['b', 'ABORTED'],
  ])
})

test('Pump.withdraw() needs no clock that was set', async () => {
  const { clock, pump, ends, add } = setUp()
  clock.jump(0)
  const ticket = new Ticket()
  void add('a', { ticket, expiresAtMs: 5000 })
  void add('b', { expiresAtMs: 100 })
  pump.withdraw(ticket)
  clock.advance(600_000)
  await turn()
  assert.deepEqual(ends, [['a', 'ABORTED']])
})
