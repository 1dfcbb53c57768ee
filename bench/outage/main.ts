import { mkdtempSync, rmSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { parseArgs } from 'node:util'

import type { Course } from '../../test/outage/course.ts'
import { runOutage } from '../../test/outage/course.ts'
import { OUTAGE_ROWS } from '../../test/outage/rows.ts'
import type { Fault, OutageSite } from '../../test/outage/site.ts'
import { runBacklog } from './backlog.ts'

// Outages of real brokers, through the public API and a durable outbox: what is lost, and how soon it flows again. What it
// measures and how to read it: docs/benchmarks.md.
// Run: node build/bench/outage/main.js [--quick] [--only "kafka backlog"] [--folder FOLDER]

const { values: flags } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
    folder: { type: 'string', default: tmpdir() },
  },
})
const COURSE: Course = { ratePerSecond: 100, before: 2000, during: 2000, after: 2000 }
const QUICK: Course = { ratePerSecond: 100, before: 100, during: 200, after: 100 }
const BACKLOG = flags.quick ? 20_000 : 300_000
const FLOW_MS = 3000
const DRAIN_RATE = 10_000
const ALARM_P99_MS = 2000

let failures = 0

/** `--only kafka`, or `--only "kafka frozen"`; whole words. */
function isWanted(row: string, part: string): boolean {
  return flags.only === '' || `${row} ${part} `.startsWith(`${flags.only} `)
}

function say(row: string, what: string, good: boolean, figures: string): void {
  if (!good) failures += 1
  console.log(`${good ? 'PASS' : 'FAIL'}  ${row.padEnd(8)} ${what.padEnd(8)} ${figures}`)
}

async function withFolder<T>(task: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(flags.folder, 'backhaul-outage-'))
  try {
    return await task(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function outage(name: string, site: OutageSite, fault: Fault): Promise<void> {
  const course = flags.quick ? QUICK : COURSE
  const result = await withFolder((folder) => runOutage(site, fault, course, folder))
  const {
    accepted,
    lost,
    outOfOrder,
    otherId,
    repeats,
    errors,
    flowMs,
    sendBeforeP99Ms,
    sendP99Ms,
    sendMaxMs,
  } = result
  const good = lost.length + outOfOrder.length + otherId.length + errors.length === 0 && flowMs <= FLOW_MS
  say(
    name,
    fault,
    good,
    `${accepted} accepted: ${lost.length} lost, ${outOfOrder.length} out of order, ${repeats} came twice ` +
      `(${otherId.length} with another id); live messages ${flowMs} ms after the return; ` +
      `send() p99 ${sendBeforeP99Ms.toFixed(1)} ms before, ${sendP99Ms.toFixed(1)} ms while it was away (at most ${sendMaxMs.toFixed(0)}), ${errors.length} errors`,
  )
}

async function backlog(name: string, site: OutageSite): Promise<void> {
  const result = await withFolder((folder) => runBacklog(site, BACKLOG, folder))
  const { ratePerSecond, lost, outOfOrder, otherId, alarms, alarmP99Ms, alarmMaxMs } = result
  const kept = lost.length + outOfOrder.length + otherId.length === 0
  say(
    name,
    'backlog',
    kept && ratePerSecond >= DRAIN_RATE && alarmP99Ms <= ALARM_P99_MS,
    `${BACKLOG} messages drain at ${Math.round(ratePerSecond)}/s; ${lost.length} lost, ${outOfOrder.length} out of order; ` +
      `${alarms} live alarms: p99 ${alarmP99Ms} ms, at most ${alarmMaxMs} ms`,
  )
}

console.log(`${cpus().length} cores (${cpus()[0]?.model ?? 'unknown'}), Node ${process.version}`)
for (const row of OUTAGE_ROWS) {
  const parts = [...row.faults, 'backlog' as const].filter((part) => isWanted(row.name, part))
  if (parts.length === 0) continue
  const reason = row.skip()
  if (reason !== false) {
    console.log(`skipped ${row.name}: ${reason}`)
    continue
  }
  await using site = await row.start(false)
  for (const part of parts) {
    if (part === 'backlog') await backlog(row.name, site)
    else await outage(row.name, site, part)
  }
}
process.exitCode = failures > 0 ? 1 : 0
