import assert from 'node:assert/strict'
import { test } from 'node:test'

import { openLogStore } from '../../../src/outbox/log/open.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { closeStore, entryOf, NO_LOCK, openStore, saveCursor, settle, take, takeAll } from './set-up.ts'

test('LogStore keeps what is pending when its start takes longer than the time between two cursors', async () => {
  const { store, disk, clock } = await openStore(undefined, { segmentBytes: 2000 })
  for (let n = 0; n < 9; n += 1) {
    store.append(entryOf(`m${n}`, { bytes: 500 }))
    await store.safe()
  }
  for (let n = 0; n < 6; n += 1) {
    const entry = await take(store, 2)
    assert.ok(entry !== undefined)
    store.remove(entry, 'delivered')
  }
  await saveCursor(clock)
  const killed = disk.afterKill()
  await closeStore(store)
  const slowClock = new ManualClock()
  const remove = killed.remove.bind(killed)
  killed.remove = async (path) => {
    slowClock.advance(100)
    await settle()
    await remove(path)
  }
  const again = await openLogStore({ folder: '/s', disk: killed, clock: slowClock, lock: NO_LOCK })
  again.attach({ changed() {}, dropped() {}, neverSafe() {} })
  await settle()
  const { waiting } = await takeAll(again)
  assert.deepEqual(
    waiting.flat().map(({ message }) => message.id),
    ['m6', 'm7', 'm8'],
  )
  await closeStore(again)
})
