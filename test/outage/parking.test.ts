import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'

import { connect } from '../../src/client/index.ts'
import { fastClock } from '../support/fast-clock.ts'
import { compare, readPayload } from './findings.ts'
import { Load } from './load.ts'
import { RIGHTS_ROWS } from './rights.ts'
import type { Arrival } from './site.ts'

const MIB = 1024 ** 2
const REFUSED = 'parking.refused'
const TOPICS = ['parking.one', REFUSED, 'parking.two']
const BYTES = 4096
/** So many messages of each topic are sent while one of them is refused. */
const MEANWHILE = 2000

for (const row of RIGHTS_ROWS) {
  const title = `a topic of ${row.name} that loses its rights under load holds nobody up, takes no more disk than it parks, and loses nothing`
  test(title, { skip: row.skip() }, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'backhaul-parking-'))
    t.after(() => rmSync(folder, { recursive: true, force: true }))
    await using site = await row.start(TOPICS)
    // refused topics are tried every 30 s: here that is every 3 s
    const clock = fastClock(10)
    const outbox = { path: folder, minFreeBytes: 0, maxBytes: 64 * MIB }
    await using client = await connect(site.url, { ...site.options, outbox, clock })
    const start = (first: (index: number) => number) =>
      TOPICS.map(
        (topic, index) => new Load(client, { topic, ratePerSecond: 300, bytes: BYTES, first: first(index) }),
      )
    const stop = (loads: readonly Load[]) => Promise.all(loads.map((load) => load.stop()))
    const loads = start(() => 0)
    t.after(() => stop(loads))

    await Promise.all(loads.map((load) => load.more(200)))
    await site.allow(TOPICS.filter((topic) => topic !== REFUSED))
    await until(() => client.outbox?.parkedTopics.some(({ topic }) => topic === REFUSED) === true)
    await Promise.all(loads.map((load) => load.more(MEANWHILE)))
    await stop(loads)
    // the others went on while that one was refused
    const others = loads.filter((_, index) => TOPICS[index] !== REFUSED)
    const sentToOthers = others.reduce((sum, { accepted }) => sum + accepted, 0)
    await until(() => client.account.delivered >= sentToOthers)
    // files go when all in them is over and a cursor or two was written: some of each log are always there
    const parkedBytes = () => client.account.parked * BYTES
    const diskBytes = () => client.outbox?.diskBytes ?? Infinity
    await until(() => diskBytes() < parkedBytes() * 1.1 + 12 * MIB)
    const figures = [bytesOf(loads), parkedBytes(), diskBytes()].map(megabytes)
    assert.ok(client.account.parked > MEANWHILE * 0.9)
    await site.allow(TOPICS)
    const later = start((index) => loads[index]?.next ?? 0)
    t.after(() => stop(later))
    await Promise.all(later.map((load) => load.more(200)))
    await stop(later)
    await client.drain(AbortSignal.timeout(60_000))

    let slowestMs = 0
    for (const [index, load] of loads.entries()) {
      const topic = TOPICS[index] ?? ''
      const sent = [...load.sent, ...(later[index]?.sent ?? [])]
      const arrivals = await site.arrivals(topic, sent.length)
      const { lost, outOfOrder, otherId } = compare(sent, arrivals)
      const where = `${topic}, ${JSON.stringify(client.account)}`
      assert.deepEqual({ where, lost, outOfOrder, otherId }, { where, lost: [], outOfOrder: [], otherId: [] })
      assert.deepEqual([...load.errors, ...(later[index]?.errors ?? [])], [])
      if (topic !== REFUSED) slowestMs = Math.max(slowestMs, ...arrivals.map(waitOf))
    }
    await until(() => diskBytes() < 12 * MIB)
    const { accepted, delivered, parked, pending } = client.account
    assert.deepEqual([delivered, parked, pending], [accepted, 0, 0])
    const [sent, aside, disk] = figures
    t.diagnostic(
      `the slowest of the others took ${slowestMs} ms; ${sent} sent, ${aside} parked, ${disk} on disk`,
    )
  })
}

function waitOf({ text, atMs }: Arrival): number {
  return atMs - readPayload(text).atMs
}

async function until(isTrue: () => boolean): Promise<void> {
  for (let tries = 0; !isTrue(); tries += 1) {
    assert.ok(tries < 3000, 'it never came to that')
    await sleep(10)
  }
}

function bytesOf(loads: readonly Load[]): number {
  return loads.reduce((sum, { accepted }) => sum + accepted * BYTES, 0)
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`
}
