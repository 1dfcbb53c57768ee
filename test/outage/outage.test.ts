import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'

import type { Course } from './course.ts'
import { runOutage } from './course.ts'
import type { Findings } from './findings.ts'
import { runKill } from './kill.ts'
import { OUTAGE_ROWS } from './rows.ts'
import type { Fault, OutageSite } from './site.ts'

// The short form of `npm run bench:outage`: the same code, for seconds instead of minutes.

const COURSE: Course = { ratePerSecond: 200, before: 50, during: 500, after: 100 }
const WORDS: Readonly<Record<Fault, string>> = {
  stopped: 'C1: what is sent while the broker is stopped arrives after its return, in order',
  frozen: 'what is sent while the broker hangs arrives, in order',
  killed: 'what is sent while the broker is killed and started again arrives, in order',
  reset: 'what is sent while connections are reset and refused arrives, in order',
}

for (const row of OUTAGE_ROWS) {
  describe(`an outage of ${row.name}`, { skip: row.skip() }, () => {
    let site: OutageSite | undefined
    const started = () => {
      if (site === undefined) throw new Error('The broker is not started')
      return site
    }
    before(async () => {
      site = await row.start(true)
    })
    after(() => site?.[Symbol.asyncDispose]())

    for (const fault of row.faults) {
      test(WORDS[fault], async (t) => {
        const folder = outboxFolder(t)
        const result = await runOutage(started(), fault, COURSE, folder)
        assertKept(result)
        assert.deepEqual(result.errors, [], 'send() never fails')
        const { accepted, delivered, pending, dead } = result.account
        assert.deepEqual([delivered, pending, dead], [accepted, 0, 0])
        t.diagnostic(
          `${result.accepted} accepted, ${result.repeats} came twice, live again after ${result.flowMs} ms, ` +
            `send() took ${result.sendP99Ms.toFixed(0)} ms at p99, ${result.sendMaxMs.toFixed(0)} ms at most`,
        )
      })
    }

    test('C2: what waits when the process is killed during the outage arrives, in order', async (t) => {
      const result = await runKill(started(), 300, outboxFolder(t))
      assertKept(result)
      assert.ok(result.accepted >= 300)
    })
  })
}

function assertKept({ lost, outOfOrder, otherId }: Findings): void {
  assert.deepEqual({ lost, outOfOrder, otherId }, { lost: [], outOfOrder: [], otherId: [] })
}

function outboxFolder(t: { after(task: () => void): void }): string {
  const folder = mkdtempSync(join(tmpdir(), 'backhaul-outage-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}
