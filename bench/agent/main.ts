import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'

import { connect } from '../../src/client/index.ts'
import { startKafka, startMosquitto, without, withoutKafka } from '../../test/brokers/index.ts'
import { AgentProcess } from '../agent-process.ts'

// The memory of `backhaul run` with its durable outbox: at 1,000 messages a second, and while it drains 1 GiB.
// Run: node build/bench/agent/main.js [--quick] [--seconds 60] [--only kafka] [--folder FOLDER]

const { values: flags } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    seconds: { type: 'string' },
    only: { type: 'string', default: '' },
    folder: { type: 'string', default: tmpdir() },
  },
})
const SECONDS = Number(flags.seconds ?? (flags.quick ? 2 : 60))
const BACKLOG_BYTES = flags.quick ? 10 * 1024 ** 2 : 1024 ** 3
const PAYLOAD_BYTES = 1024
const SAMPLE_MS = 100
const GOALS = { steady: 130, draining: 160 } as const

interface Row {
  readonly name: string
  readonly skip: string | false
  readonly start: () => Promise<{ readonly url: string; readonly topic: string; stop(): Promise<void> }>
}

const ROWS: readonly Row[] = [
  {
    name: 'mqtt',
    skip: without('mosquitto'),
    async start() {
      const broker = await startMosquitto({ settings: { max_inflight_messages: 1000 } })
      return { url: broker.url('plain'), topic: 'bench/agent', stop: () => broker.stop() }
    },
  },
  {
    name: 'kafka',
    skip: withoutKafka(),
    async start() {
      const broker = await startKafka()
      await broker.admin.createTopic('bench', { partitions: 4 })
      return { url: broker.url('plain'), topic: 'bench', stop: () => broker.stop() }
    },
  },
]

function configOf(url: string, topic: string, outbox: string): string {
  return `version: 1
device: { id: bench }
connections: { cloud: { url: '${url}', outbox: { path: '${outbox}', maxBytes: 4294967296 } } }
inputs: { lines: { type: stdin, schema: lines } }
routes: [{ from: lines, to: cloud, topic: ${topic}, payload: raw }]
`
}

/** The memory of an agent over time, until `isOver` says so. */
async function watch(agent: AgentProcess, isOver: () => Promise<boolean>): Promise<number[]> {
  const samples: number[] = []
  while (!(await isOver())) {
    samples.push(await agent.rss())
    await sleep(SAMPLE_MS)
  }
  return samples
}

async function steady(agent: AgentProcess): Promise<number[]> {
  const line = `${JSON.stringify({ camera: 'gate-7', text: 'x'.repeat(160) })}\n`
  const startMs = performance.now()
  let sent = 0
  return watch(agent, async () => {
    const due = Math.min(performance.now() - startMs, SECONDS * 1000)
    const count = Math.floor(due) - sent
    sent += count
    if (!agent.stdin.write(line.repeat(count))) await once(agent.stdin, 'drain')
    return due === SECONDS * 1000
  })
}

/** Fills the outbox that an agent will take up. Its address leads nowhere. */
async function fill(scheme: string, topic: string, folder: string): Promise<void> {
  const outbox = { path: folder, minFreeBytes: 0, maxBytes: BACKLOG_BYTES * 2, fsync: 'never' } as const
  const client = await connect(`${scheme}://127.0.0.1:1`, { outbox })
  const payload = new Uint8Array(PAYLOAD_BYTES).fill(120)
  const batch = Array.from({ length: 1000 }, (_, index) => ({ topic, payload, key: `camera-${index % 64}` }))
  while (client.account.pendingBytes < BACKLOG_BYTES) await client.sendMany(batch)
  await client.close({ drainTimeoutMs: 0 })
}

async function drain(agent: AgentProcess, folder: string): Promise<{ samples: number[]; seconds: number }> {
  const startMs = performance.now()
  const samples = await watch(agent, async () => sizeOf(folder) < 40 * 1024 ** 2)
  return { samples, seconds: (performance.now() - startMs) / 1000 }
}

function say(row: string, what: keyof typeof GOALS, samples: readonly number[], more = ''): void {
  const megabytes = samples.map((bytes) => bytes / 1e6)
  const highest = Math.max(...megabytes)
  const last = megabytes.at(-1) ?? 0
  const good = highest <= GOALS[what]
  if (!good) process.exitCode = 1
  console.log(
    `${good ? 'PASS' : 'FAIL'}  ${row.padEnd(6)} ${what.padEnd(8)} RSS at most ${highest.toFixed(0)} MB, ${last.toFixed(0)} MB at the end (aim: ${GOALS[what]} MB)${more}`,
  )
}

function sizeOf(folder: string): number {
  return readdirSync(folder).reduce((sum, name) => {
    // files go while we look
    return sum + (statSync(join(folder, name), { throwIfNoEntry: false })?.size ?? 0)
  }, 0)
}

console.log(`${cpus().length} cores (${cpus()[0]?.model ?? 'unknown'}), Node ${process.version}`)
for (const row of ROWS.filter(({ name }) => name.startsWith(flags.only))) {
  if (row.skip !== false) {
    console.log(`skipped ${row.name}: ${row.skip}`)
    continue
  }
  const folder = mkdtempSync(join(flags.folder, 'backhaul-bench-'))
  const broker = await row.start()
  try {
    {
      await using agent = await AgentProcess.start(configOf(broker.url, broker.topic, join(folder, 'steady')))
      say(row.name, 'steady', await steady(agent), `, 1,000 messages of 200 B a second for ${SECONDS} s`)
    }
    const backlog = join(folder, 'backlog')
    await fill(row.name, broker.topic, backlog)
    await using agent = await AgentProcess.start(configOf(broker.url, broker.topic, backlog))
    const { samples, seconds } = await drain(agent, backlog)
    const rate = Math.round(BACKLOG_BYTES / PAYLOAD_BYTES / seconds)
    say(row.name, 'draining', samples, `, ${BACKLOG_BYTES / 1024 ** 2} MiB of 1 KiB each at ${rate}/s`)
  } finally {
    await broker.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}
