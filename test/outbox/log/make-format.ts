import process from 'node:process'

import { openLogStore } from '../../../src/outbox/log/open.ts'
import { entryOf, settle, take } from './set-up.ts'

// Writes the store that later versions must open: node build/test/outbox/log/make-format.js FOLDER. A version of the format is
// made once, and its files are never changed.

const [folder = ''] = process.argv.slice(2)
const store = await openLogStore({ folder, segmentBytes: 4000, groupCommitMs: 0 })
for (let n = 0; n < 20; n += 1) {
  const entry = entryOf(`t${n}`, { bytes: 300, topic: n % 4 === 0 ? 'parked' : 'open' })
  Object.assign(entry, { message: { ...entry.message, key: `k${n % 2}`, headers: { n: `${n}` } } })
  store.append(entry)
  if (n % 3 === 2) await store.safe()
}
store.append(entryOf('c0', { lane: 0 }))
store.append(entryOf('a0', { lane: 1 }))
await store.safe()
for (let n = 0; n < 8; n += 1) {
  const entry = await take(store, 2)
  if (entry === undefined) break
  if (entry.message.topic === 'parked') store.park(entry)
  else store.remove(entry, n === 1 ? 'dead' : 'delivered')
}
await settle()
await store.close(() => undefined)
