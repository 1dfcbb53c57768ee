import { mkdtempSync, rmSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

import { startKafka, startMosquitto, without, withoutKafka } from '../../test/brokers/index.ts'
import { median } from '../median.ts'
import type { Figures } from '../process.ts'
import { RoundProcess } from '../process.ts'

// From send() to the broker's acknowledgement, through the public API, with a durable outbox and without: how fast, and what the
// outbox adds. What it measures and how to read it: docs/benchmarks.md.
// Run: node build/bench/end-to-end/main.js [--quick] [--rounds 7] [--only kafka] [--profile FOLDER] [--folder FOLDER]

const { values: flags } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    only: { type: 'string', default: '' },
    profile: { type: 'string' },
    folder: { type: 'string', default: tmpdir() },
  },
})
const rounds = Number(flags.rounds ?? (flags.quick ? 1 : 7))
/** Rounds that count for nothing: before them the compiler of the engine is not done. */
const WARM_UPS = flags.quick ? 0 : 3
const BYTES = 200
const MAX_ADDED_MICROS = 3
const CHILD = fileURLToPath(new URL('child.js', import.meta.url))

interface Row {
  readonly name: string
  readonly messages: number
  readonly senders: number
  readonly goal: number
  readonly skip: string | false
  readonly start: () => Promise<{ readonly url: string; readonly topic: string; stop(): Promise<void> }>
}

const ROWS: readonly Row[] = [
  {
    name: 'mqtt',
    messages: 60_000,
    senders: 1000,
    goal: 25_000,
    skip: without('mosquitto'),
    async start() {
      const broker = await startMosquitto({
        settings: { max_inflight_messages: 1000, max_queued_messages: 0 },
      })
      return { url: broker.url('plain'), topic: 'bench/end-to-end', stop: () => broker.stop() }
    },
  },
  {
    name: 'kafka',
    messages: 150_000,
    senders: 5000,
    goal: 60_000,
    skip: withoutKafka(),
    async start() {
      const broker = await startKafka()
      await broker.admin.createTopic('bench', { partitions: 4 })
      return { url: broker.url('plain'), topic: 'bench', stop: () => broker.stop() }
    },
  },
]

async function measure(row: Row): Promise<{ without: Figures[]; stored: Figures[] }> {
  const folder = mkdtempSync(join(flags.folder, 'backhaul-bench-'))
  const broker = await row.start()
  const start = (outbox: string) => {
    const messages = flags.quick ? 1000 : row.messages
    const args = [broker.url, outbox, broker.topic, BYTES, messages, row.senders].map(String)
    const profile = [
      '--cpu-prof',
      `--cpu-prof-dir=${flags.profile}`,
      `--cpu-prof-name=${row.name}-${outbox === '' ? 'without' : 'stored'}.cpuprofile`,
    ]
    return RoundProcess.start(CHILD, args, flags.profile === undefined ? [] : profile)
  }
  const results: { without: Figures[]; stored: Figures[] } = { without: [], stored: [] }
  try {
    await using direct = await start('')
    await using stored = await start(join(folder, 'outbox'))
    for (let round = 0; round < WARM_UPS + rounds; round += 1) {
      for (const [side, list] of [
        [direct, results.without],
        [stored, results.stored],
      ] as const) {
        side.go()
        const figures = await side.figures()
        if (round >= WARM_UPS) list.push(figures)
      }
    }
  } finally {
    await broker.stop()
    rmSync(folder, { recursive: true, force: true })
  }
  return results
}

console.log(
  `${BYTES} B, acknowledged by the broker, ${cpus().length} cores (${cpus()[0]?.model ?? 'unknown'}), Node ${process.version}, ${rounds} rounds`,
)
for (const row of ROWS.filter(({ name }) => name.startsWith(flags.only))) {
  if (row.skip !== false) {
    console.log(`skipped ${row.name}: ${row.skip}`)
    continue
  }
  const results = await measure(row)
  const of = (side: readonly Figures[], key: keyof Figures) => median(side.map((figures) => figures[key]))
  const rate = of(results.stored, 'messagesPerSecond')
  const added = median(
    results.stored.map(({ cpuMicros }, round) => cpuMicros - (results.without[round]?.cpuMicros ?? NaN)),
  )
  const good = rate >= row.goal && added <= MAX_ADDED_MICROS
  if (!good) process.exitCode = 1
  console.log(
    `${good ? 'PASS' : 'FAIL'}  ${row.name.padEnd(6)} with the outbox (fsync always): ${Math.round(rate)}/s (goal ${row.goal}), ` +
      `${of(results.stored, 'cpuMicros').toFixed(2)} µs of CPU, ${(of(results.stored, 'rssBytes') / 1e6).toFixed(0)} MB; ` +
      `without: ${Math.round(of(results.without, 'messagesPerSecond'))}/s, ${of(results.without, 'cpuMicros').toFixed(2)} µs, ` +
      `${(of(results.without, 'rssBytes') / 1e6).toFixed(0)} MB; it adds ${added.toFixed(2)} µs (goal ${MAX_ADDED_MICROS}) a message`,
  )
}
