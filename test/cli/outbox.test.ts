import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

import { cli, FakeProcess } from './fake-io.ts'

/** A copy of a store with 16 pending messages, two of them parked, and one dead letter. */
function outbox(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'backhaul-cli-outbox-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const source = fileURLToPath(new URL('../../../test/outbox/log/format-1', import.meta.url))
  cpSync(source, folder, { recursive: true })
  return folder
}

test('outbox stat and verify tell what is in a store, and change nothing', async (t) => {
  const folder = outbox(t)
  const before = readdirSync(folder)
  const stat = await cli('outbox', 'stat', folder)
  assert.equal(stat.code, 0, stat.err)
  assert.match(stat.out, /^telemetry +12 +3600 +0 +2 +\d+$/m)
  assert.match(stat.out, /^delivered 5, dead 1, dropped: full 0/m)
  const verify = await cli('outbox', 'verify', folder, '--json')
  assert.equal(verify.code, 0, verify.err)
  const { logs } = JSON.parse(verify.out)
  assert.deepEqual(
    logs.map(({ log, pending }: { log: string; pending: number }) => [log, pending]),
    [
      ['control', 1],
      ['alarm', 1],
      ['telemetry', 12],
      ['parked', 2],
      ['dead', 1],
    ],
  )
  assert.deepEqual(readdirSync(folder), before)
})

test('outbox verify ends with 74 when something is damaged, and repair counts it', async (t) => {
  const folder = outbox(t)
  const name = readdirSync(folder).findLast((file) => file.startsWith('telemetry')) ?? ''
  const bytes = readFileSync(join(folder, name))
  bytes[1200] = (bytes[1200] ?? 0) ^ 1
  writeFileSync(join(folder, name), bytes)
  const verify = await cli('outbox', 'verify', folder)
  assert.equal(verify.code, 74)
  assert.match(verify.err, /3 messages and 0 cursor files are damaged, run backhaul outbox repair/)
  const repair = await cli('outbox', 'repair', folder)
  assert.match(repair.out, /^3 messages were damaged/)
  const again = await cli('outbox', 'verify', folder)
  assert.equal(again.code, 0, again.err)
  assert.match(again.out, /damaged 3/)
})

test('outbox export and import carry a backlog from one folder to another', async (t) => {
  const folder = outbox(t)
  const other = join(outbox(t), 'other')
  const { code, out } = await cli('outbox', 'export', folder)
  assert.equal(code, 0)
  assert.equal(out.trim().split('\n').length, 16)
  const importer = new FakeProcess()
  importer.stdin.end(out)
  assert.equal(await importer.run('outbox', 'import', other), 0, importer.err)
  assert.match(importer.out, /^16 messages were taken over/)
  const sorted = (text: string) =>
    text.replaceAll('"log":"parked"', '"log":"telemetry"').trim().split('\n').toSorted()
  const carried = await cli('outbox', 'export', other)
  assert.deepEqual(sorted(carried.out), sorted(out))
  const wrong = new FakeProcess()
  wrong.stdin.end('{"id":"x"}\n')
  assert.equal(await wrong.run('outbox', 'import', other), 65)
  assert.match(wrong.err, /Cannot import line 1/)
})

test('outbox list, resend and remove handle dead letters and parked messages', async (t) => {
  const folder = outbox(t)
  const dead = await cli('outbox', 'list', folder)
  assert.match(dead.out, /^{"log":"dead","id":"t1",.*"error":{"code":"REFUSED"/)
  assert.equal((await cli('outbox', 'resend', folder)).code, 64)
  assert.equal((await cli('outbox', 'resend', folder, 't1')).out, '1 messages\n')
  assert.equal((await cli('outbox', 'list', folder)).out, '')
  assert.equal((await cli('outbox', 'remove', folder, '--of', 'parked', 't4')).out, '1 messages\n')
  const stat = await cli('outbox', 'stat', folder)
  assert.match(stat.out, /^telemetry +13 /m)
  assert.match(stat.out, /^parked +1 /m)
  assert.match(stat.out, /dead 0, dropped: .*withdrawn 1/)
})
