import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import type { TestContext } from 'node:test'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

import { openLogStore } from '../../../src/outbox/log/open.ts'
import { closeStore, entryOf, take, takeAll } from './set-up.ts'

function tempFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'backhaul-outbox-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** A folder of the sources: tests run from the folder that they are compiled to. */
function source(path: string): string {
  return fileURLToPath(new URL(`../../../../test/outbox/log/${path}`, import.meta.url))
}

test('LogStore on the real disk keeps messages over a restart, and leaves nothing but its files', async (t) => {
  const folder = join(tempFolder(t), 'a', 'b')
  const store = await openLogStore({ folder })
  for (let n = 0; n < 1000; n += 1) store.append(entryOf(`${n}`, { bytes: 200 }))
  await store.safe()
  await closeStore(store)
  const again = await openLogStore({ folder })
  for (let n = 0; n < 1000; n += 1) {
    const entry = await takeSoon(again)
    assert.equal(entry?.message.id, `${n}`)
    again.remove(entry, 'delivered')
  }
  await closeStore(again)
  assert.deepEqual(
    readdirSync(folder).filter((name) => name.startsWith('lock')),
    [],
  )
})

test('LogStore refuses a second writer, of this process or another, and takes over from a dead one', async (t) => {
  const folder = tempFolder(t)
  const store = await openLogStore({ folder })
  await assert.rejects(openLogStore({ folder }), { code: 'OUTBOX_IN_USE', message: /another process uses/ })
  await closeStore(store)
  const script = `import { openLogStore } from ${JSON.stringify(new URL('../../../src/outbox/log/open.js', import.meta.url).href)}
    await openLogStore({ folder: ${JSON.stringify(folder)} })
    process.stdout.write('open'); setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.after(() => child.kill('SIGKILL'))
  await once(child.stdout, 'data')
  await assert.rejects(openLogStore({ folder }), { code: 'OUTBOX_IN_USE' })
  child.kill('SIGKILL')
  await once(child, 'exit')
  const after = await openLogStore({ folder })
  await closeStore(after)
})

test('LogStore lets one of many in when they open a dead one at once', async (t) => {
  const folder = tempFolder(t)
  for (let round = 0; round < 5; round += 1) {
    const tries = await Promise.allSettled(Array.from({ length: 8 }, () => openLogStore({ folder })))
    const open = tries.filter((result) => result.status === 'fulfilled')
    assert.equal(open.length, 1)
    for (const { value } of open) await closeStore(value)
  }
})

test('LogStore works in a folder whose path is too long for a socket', async (t) => {
  const folder = join(tempFolder(t), 'x'.repeat(120))
  const store = await openLogStore({ folder })
  await assert.rejects(openLogStore({ folder }), { code: 'OUTBOX_IN_USE' })
  await closeStore(store)
})

test('LogStore opens what format 1 wrote', async (t) => {
  const folder = tempFolder(t)
  cpSync(source('format-1'), folder, { recursive: true })
  const store = await openLogStore({ folder })
  assert.deepEqual(store.report.damagedCursors, [])
  assert.deepEqual(
    { ...store.opening, dropped: store.opening.dropped.damaged },
    {
      accepted: 22,
      delivered: 5,
      pending: 16,
      parked: 2,
      dead: 1,
      dropped: 0,
      pendingBytes: 14 * 300 + 4,
      resent: 0,
    },
  )
  const { waiting, parked } = await takeAll(store, () => sleep(10))
  assert.deepEqual(
    waiting.map((entries) => entries.map(({ message }) => message.id)),
    [['c0'], ['a0'], Array.from({ length: 12 }, (_, n) => `t${n + 8}`)],
  )
  assert.deepEqual(
    parked.map(({ message }) => [message.id, message.key, message.headers]),
    [
      ['t0', 'k0', { n: '0' }],
      ['t4', 'k0', { n: '4' }],
    ],
  )
  await closeStore(store)
})

const tmpfs =
  process.getuid?.() !== 0
    ? 'only root may mount a small file system'
    : !existsSync('/bin/mount') && 'no mount'

test('LogStore on a file system that is full stays up, and goes on by itself', { skip: tmpfs }, async (t) => {
  const folder = tempFolder(t)
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', folder], { stdio: 'pipe' })
  } catch (error) {
    t.skip(`a small file system cannot be mounted: ${String(error)}`)
    return
  }
  try {
    await fillAndDrain(folder)
  } finally {
    execFileSync('umount', [folder])
  }
})

async function fillAndDrain(folder: string): Promise<void> {
  const store = await openLogStore({ folder, segmentBytes: 256 * 1024 })
  let sent = 0
  while (store.hasRoom(1000) && sent < 5000) {
    for (let n = 0; n < 10; n += 1) store.append(entryOf(`${(sent += 1)}`, { bytes: 1000 }))
    await Promise.race([Promise.resolve(store.safe()), sleep(100)])
  }
  assert.equal(store.problem?.code, 'OUTBOX_FULL')
  assert.ok(sent > 1000 && sent < 3000, `${sent} fit`)
  for (let n = 1; n <= sent - 20; n += 1) {
    const entry = await takeSoon(store)
    assert.equal(entry?.message.id, `${n}`)
    store.remove(entry, 'delivered')
  }
  const deadline = performance.now() + 10_000
  while (store.problem !== undefined && performance.now() < deadline) await sleep(20)
  assert.equal(store.problem, undefined)
  for (let n = sent - 19; n <= sent; n += 1) assert.equal((await takeSoon(store))?.message.id, `${n}`)
  await closeStore(store)
}

async function takeSoon(store: Awaited<ReturnType<typeof openLogStore>>) {
  for (let tries = 0; tries < 200; tries += 1) {
    const entry = await take(store, 2)
    if (entry !== undefined) return entry
    await sleep(5)
  }
  return undefined
}
