import assert from 'node:assert/strict'
import { test } from 'node:test'

import { closeStore, entryOf, openStore, saveCursor, settle, take, takeAll, takeParked } from './set-up.ts'

const ids = (entries: readonly { readonly message: { readonly id: string } }[]) =>
  entries.map(({ message }) => message.id)

test('LogStore keeps what was appended over a restart, byte for byte and in order', async () => {
  const { store, disk } = await openStore()
  for (const id of ['a', 'b', 'c']) store.append(entryOf(id, { bytes: 100 }))
  await store.safe()
  assert.equal(store.safe(), undefined)
  await closeStore(store)
  const again = await openStore(disk)
  assert.equal(again.store.opening.pending, 3)
  assert.equal(again.store.opening.pendingBytes, 300)
  const { waiting } = await takeAll(again.store)
  assert.deepEqual(ids(waiting[2] ?? []), ['a', 'b', 'c'])
  assert.deepEqual(waiting[2]?.[1]?.message.payload.subarray(0, 3), Buffer.from('bxx'))
  await closeStore(again.store)
})

test('LogStore shows a message only once it is safe', async () => {
  const { store } = await openStore()
  store.append(entryOf('a'))
  assert.equal(store.peek(2), undefined)
  await store.safe()
  assert.equal(store.peek(2)?.message.id, 'a')
  await closeStore(store)
})

test('LogStore keeps key, headers and age limit', async () => {
  const { store, disk, clock } = await openStore()
  const atMs = clock.now() + 5000
  const entry = entryOf('ä')
  Object.assign(entry, {
    message: { ...entry.message, key: 'k/ß', headers: { h: '1', ü: '2' } },
    expiry: { atMs, deadlineMs: 0 },
  })
  store.append(entry)
  await store.safe()
  await closeStore(store)
  const again = await openStore(disk)
  const found = await take(again.store, 2)
  assert.equal(found?.message.id, 'ä')
  assert.equal(found.message.key, 'k/ß')
  assert.deepEqual(found.message.headers, { h: '1', ü: '2' })
  assert.equal(found.expiry?.atMs, atMs)
  await closeStore(again.store)
})

test('LogStore gives back the space of what is over while it runs', async () => {
  const { store, disk, clock } = await openStore(undefined, { segmentBytes: 20_000 })
  let peak = 0
  for (let round = 0; round < 20; round += 1) {
    for (let n = 0; n < 10; n += 1) store.append(entryOf(`${round}-${n}`, { bytes: 1000 }))
    await store.safe()
    peak = Math.max(peak, disk.bytes)
    for (let n = 0; n < 10; n += 1) {
      const entry = await take(store, 2)
      assert.ok(entry !== undefined)
      store.remove(entry, 'delivered')
    }
    await saveCursor(clock)
    await saveCursor(clock)
  }
  assert.ok(peak < 80_000, `${peak} bytes at the most`)
  await closeStore(store)
})

test('LogStore removes segments behind a message that stays on its way', async () => {
  const { store, disk, clock } = await openStore(undefined, { segmentBytes: 20_000 })
  for (let n = 0; n < 200; n += 1) store.append(entryOf(`${n}`, { bytes: 1000 }))
  await store.safe()
  const first = await take(store, 2)
  for (let n = 1; n < 200; n += 1) {
    const entry = await take(store, 2)
    assert.ok(entry !== undefined)
    store.remove(entry, 'delivered')
  }
  for (let n = 0; n < 4; n += 1) await saveCursor(clock)
  assert.ok(disk.bytes < 60_000, `${disk.bytes} bytes`)
  await closeStore(store)
  const again = await openStore(disk)
  assert.equal(again.store.opening.pending, 1)
  assert.equal((await take(again.store, 2))?.message.id, first?.message.id)
  assert.equal(again.told.damaged, 0)
  await closeStore(again.store)
})

test('LogStore keeps its account over restarts', async () => {
  const { store, disk } = await openStore()
  for (let n = 0; n < 6; n += 1) store.append(entryOf(`${n}`, { bytes: 10 }))
  await store.safe()
  const entries = (await takeAll(store)).waiting[2] ?? []
  const endings = ['delivered', 'delivered', 'dead', 'expired'] as const
  for (const [n, ending] of endings.entries()) store.remove(entries[n] ?? entryOf(''), ending)
  store.note('turnedAway', 2)
  store.note('resent', 3)
  await closeStore(store)
  const { store: again } = await openStore(disk)
  assert.deepEqual(again.opening, {
    accepted: 8,
    delivered: 2,
    pending: 2,
    parked: 0,
    dead: 1,
    dropped: { full: 2, expired: 1, withdrawn: 0, closed: 0, damaged: 0 },
    pendingBytes: 20,
    resent: 3,
  })
  await closeStore(again)
})

test('LogStore moves parked messages to the side log, and its lanes can go', async () => {
  const { store, disk, clock } = await openStore(undefined, { segmentBytes: 20_000 })
  for (let n = 0; n < 100; n += 1)
    store.append(entryOf(`${n}`, { bytes: 1000, topic: n % 10 === 0 ? 'p' : 'q' }))
  await store.safe()
  for (let n = 0; n < 100; n += 1) {
    const entry = await take(store, 2)
    assert.ok(entry !== undefined)
    if (n % 10 === 0) store.park(entry)
    else store.remove(entry, 'delivered')
  }
  await settle()
  for (let n = 0; n < 4; n += 1) await saveCursor(clock)
  assert.equal(store.parked, 10)
  assert.equal(store.parkedBytes, 10_000)
  assert.ok(disk.bytes < 50_000, `${disk.bytes} bytes`)
  await closeStore(store)
  const again = await openStore(disk)
  assert.equal(again.store.opening.parked, 10)
  assert.equal(again.store.opening.pending, 10)
  assert.deepEqual([...again.store.parkedTopics(2)], ['p'])
  const first = await takeParked(again.store, 2, 'p')
  assert.equal(first?.message.id, '0')
  again.store.remove(first, 'delivered')
  assert.equal((await takeParked(again.store, 2, 'p'))?.message.id, '10')
  await closeStore(again.store)
  const third = await openStore(disk)
  assert.equal(third.store.opening.pending, 9)
  assert.equal(third.store.opening.delivered, 91)
  await closeStore(third.store)
})

test('LogStore copies what is still parked when most of the side log is over', async () => {
  const { store, disk, clock } = await openStore(undefined, { segmentBytes: 10_000 })
  store.append(entryOf('stays', { bytes: 100, topic: 'stays' }))
  await store.safe()
  store.park((await take(store, 2)) ?? entryOf(''))
  for (let n = 0; n < 100; n += 1) {
    store.append(entryOf(`${n}`, { bytes: 1000, topic: 'goes' }))
    await store.safe()
    store.park((await take(store, 2)) ?? entryOf(''))
    await settle()
    store.remove((await takeParked(store, 2, 'goes')) ?? entryOf(''), 'delivered')
    await saveCursor(clock)
  }
  for (let n = 0; n < 6; n += 1) await saveCursor(clock)
  assert.equal(store.parked, 1)
  assert.ok(disk.bytes < 40_000, `${disk.bytes} bytes`)
  assert.equal((await takeParked(store, 2, 'stays'))?.message.id, 'stays')
  await closeStore(store)
})

test('LogStore takes the same memory for any backlog: what does not fit is read again', async () => {
  const { store } = await openStore()
  const payload = Buffer.alloc(64 * 1024)
  for (let n = 0; n < 300; n += 1) {
    const entry = entryOf(`${n}`)
    Object.assign(entry, { message: { ...entry.message, payload }, bytes: payload.length })
    store.append(entry)
    if (n % 50 === 0) await store.safe()
  }
  await store.safe()
  for (let n = 0; n < 300; n += 1) assert.equal((await take(store, 2))?.message.id, `${n}`)
  await closeStore(store)
})

test('LogStore drops the oldest, in memory or not', async () => {
  const { store, disk } = await openStore(undefined, { segmentBytes: 20_000 })
  for (let n = 0; n < 50; n += 1) store.append(entryOf(`${n}`, { bytes: 1000 }))
  await store.safe()
  let dropped = 0
  assert.ok(store.dropOldest(2, (messages) => (dropped += messages)))
  assert.equal(dropped, 1)
  await closeStore(store)
  const again = await openStore(disk)
  let bytes = 0
  assert.ok(
    again.store.dropOldest(2, (messages, size) => {
      dropped += messages
      bytes += size
    }),
  )
  assert.equal(bytes, (dropped - 1) * 1000)
  assert.equal((await take(again.store, 2))?.message.id, `${dropped}`)
  await closeStore(again.store)
})

test('LogStore knows the greatest id after a restart, written to the cursor or not', async () => {
  const { store, disk } = await openStore()
  store.append(entryOf('01ARZ3NDEKTSV4RRFFQ69G5FAV'))
  await store.safe()
  const killed = await openStore(disk.afterKill())
  assert.equal(killed.store.lastId, '01ARZ3NDEKTSV4RRFFQ69G5FAV')
  await closeStore(killed.store)
  await closeStore(store)
})

test('LogStore gives out no sequence again that a parked message has, whose own record a power cut took', async () => {
  const { store, disk } = await openStore(undefined, { fsync: 'interval' })
  store.append(entryOf('a', { topic: 'p' }))
  await store.safe()
  store.park((await take(store, 2)) ?? entryOf(''))
  await settle()
  const cut = disk.copy()
  await closeStore(store)
  for (const name of [...cut.files.keys()].filter((file) => file.includes('telemetry')))
    await cut.remove(name)
  const again = await openStore(cut)
  assert.equal(again.store.opening.pending, 1)
  again.store.append(entryOf('b'))
  await again.store.safe()
  const killed = cut.afterKill()
  await closeStore(again.store)
  const third = await openStore(killed)
  assert.equal((await take(third.store, 2))?.message.id, 'b')
  assert.equal((await takeParked(third.store, 2, 'p'))?.message.id, 'a')
  await closeStore(third.store)
})
