import assert from 'node:assert/strict'
import { test } from 'node:test'

import { FrameCipher } from '../../../src/outbox/log/cipher.ts'
import { closeStore, entryOf, openStore, settle, take, takeAll, takeParked } from './set-up.ts'

const FIRST = 'a1'.repeat(32)
const SECOND = 'b2'.repeat(32)

test('LogStore with keys writes nothing that can be read without them', async () => {
  const { store, disk } = await openStore(undefined, { cipher: new FrameCipher(`# ours\n${FIRST}\n`) })
  for (const id of ['first-secret', 'second-secret']) store.append(entryOf(id, { topic: 'hidden-topic' }))
  await store.safe()
  store.park((await take(store, 2)) ?? entryOf(''))
  store.remove((await take(store, 2)) ?? entryOf(''), 'dead')
  await settle()
  await closeStore(store)
  for (const [name, { data }] of disk.files) {
    assert.ok(!data.includes('secret') && !data.includes('hidden'), name)
  }
  const again = await openStore(disk, { cipher: new FrameCipher(FIRST) })
  assert.equal(again.store.parked, 1)
  const entry = await takeParked(again.store, 2, 'hidden-topic')
  assert.equal(entry?.message.id, 'first-secret')
  await closeStore(again.store)
})

test('LogStore reads what an older key wrote, and refuses to open without it', async () => {
  const { store, disk } = await openStore(undefined, { cipher: new FrameCipher(FIRST) })
  store.append(entryOf('old'))
  await store.safe()
  await closeStore(store)
  await assert.rejects(openStore(disk), {
    code: 'KEY_INVALID',
    message: /is encrypted with the key "[0-9a-f]{16}"/,
  })
  await assert.rejects(openStore(disk, { cipher: new FrameCipher(SECOND) }), { code: 'KEY_INVALID' })
  const rotated = await openStore(disk, { cipher: new FrameCipher(`${SECOND}\n${FIRST}`) })
  rotated.store.append(entryOf('new'))
  await rotated.store.safe()
  const ids = (await takeAll(rotated.store)).waiting.flat().map(({ message }) => message.id)
  assert.deepEqual(ids, ['old', 'new'])
  await closeStore(rotated.store)
})

test('LogStore loses one frame at most when any byte of an encrypted one is flipped', async () => {
  const cipher = new FrameCipher(FIRST)
  const { store, disk } = await openStore(undefined, { cipher })
  for (let n = 0; n < 6; n += 1) {
    store.append(entryOf(`m${n}`))
    if (n % 2 === 1) await store.safe()
  }
  await closeStore(store)
  const name = [...disk.files.keys()].find((file) => file.includes('telemetry')) ?? ''
  const size = disk.files.get(name)?.data.length ?? 0
  for (let position = 1024; position < size; position += 1) {
    const damaged = disk.copy()
    damaged.flip(name, position)
    const opened = await openStore(damaged, { cipher: new FrameCipher(FIRST) }).catch(() => undefined)
    // the id of the key is not a secret, and without it nothing is opened
    if (opened === undefined) continue
    const found = (await takeAll(opened.store)).waiting.flat().length
    assert.ok(found >= 4, `${position} leaves ${found}`)
    assert.equal(found + opened.told.damaged, 6)
    await closeStore(opened.store)
  }
})

test('FrameCipher tells what is wrong with a key file, and no key', () => {
  assert.throws(() => new FrameCipher(''), { code: 'KEY_INVALID', message: /it holds no key/ })
  assert.throws(() => new FrameCipher('abc'), { code: 'KEY_INVALID', message: /64 hexadecimal digits/ })
})
