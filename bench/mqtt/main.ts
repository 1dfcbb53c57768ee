import { cpus } from 'node:os'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

import { startMosquitto } from '../../test/brokers/index.ts'
import { idleAgentRss } from './idle-agent.ts'
import type { Figures } from '../process.ts'
import { RoundProcess } from '../process.ts'
import type { Row, SideName } from './side.ts'
import { headLines, rowLine } from './table.ts'

// Backhaul beside bare MQTT.js, over one Mosquitto. What it measures and how to read it: docs/benchmarks.md.
// Run: node build/bench/mqtt/main.js [--quick] [--rounds 5] [--only "subscribe 5"] [--profile FOLDER]

const { values: flags } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    only: { type: 'string', default: '' },
    profile: { type: 'string' },
  },
})
const rounds = Number(flags.rounds ?? (flags.quick ? 1 : 3))
/** Rounds that count for nothing: before them the compiler of the engine is not done with either side. */
const WARM_UPS = flags.quick ? 1 : 3
const quietMs = flags.quick ? 100 : 3000
const nodeOptions = flags.profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${flags.profile}`]

const rows = (['publish', 'subscribe'] as const)
  .flatMap((direction) =>
    (flags.quick ? [1024] : [200, 1024, 10_240]).flatMap((bytes) =>
      (['5', '3.1.1'] as const).map((version): Row => {
        const messages = flags.quick ? 200 : bytes > 4096 ? 6000 : 12_000
        return { direction, version, bytes, messages }
      }),
    ),
  )
  .filter(({ direction, version, bytes }) => {
    // whole words: 1024 is not 10240
    return flags.only === '' || `${direction} ${version} ${bytes} `.startsWith(`${flags.only} `)
  })

const CHILD = fileURLToPath(new URL('child.js', import.meta.url))

function startSide(
  side: SideName,
  { direction, version, bytes, messages }: Row,
  place: { readonly url: string; readonly topic: string; readonly nodeOptions: readonly string[] },
): Promise<RoundProcess> {
  const args = [side, direction, version, place.url, place.topic, String(bytes), String(messages)]
  return RoundProcess.start(CHILD, args, place.nodeOptions)
}

/** One side, and for a subscriber the one who publishes to it: each a process. */
class Runner implements AsyncDisposable {
  readonly #measured: RoundProcess
  readonly #feeder: RoundProcess | undefined

  private constructor(measured: RoundProcess, feeder: RoundProcess | undefined) {
    this.#measured = measured
    this.#feeder = feeder
  }

  static async start(side: SideName, row: Row, url: string): Promise<Runner> {
    const topic = `bench/${row.direction}/${side}`
    const measured = startSide(side, row, { url, topic, nodeOptions })
    if (row.direction === 'publish') return new Runner(await measured, undefined)
    // both sides get the same bytes, from the same publisher
    const feeding: Row = { ...row, direction: 'publish' }
    const feeder = startSide('backhaul', feeding, { url, topic, nodeOptions: [] })
    return new Runner(await measured, await feeder)
  }

  async round(): Promise<Figures> {
    const publisher = this.#feeder ?? this.#measured
    publisher.go()
    await this.#feeder?.figures()
    return this.#measured.figures()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#feeder?.[Symbol.asyncDispose]()
    await this.#measured[Symbol.asyncDispose]()
  }
}

/** All rounds of one row, the two sides in turn. */
async function measure(row: Row, url: string): Promise<Record<SideName, Figures[]>> {
  await using backhaul = await Runner.start('backhaul', row, url)
  await using mqttjs = await Runner.start('mqttjs', row, url)
  const results: Record<SideName, Figures[]> = { backhaul: [], mqttjs: [] }
  for (let round = 0; round < WARM_UPS + rounds; round += 1) {
    const ours = await backhaul.round()
    const theirs = await mqttjs.round()
    if (round < WARM_UPS) continue
    results.backhaul.push(ours)
    results.mqttjs.push(theirs)
  }
  return results
}

await using broker = await startMosquitto({
  settings: { max_inflight_messages: 1000, max_queued_messages: 0 },
})
const url = broker.url('plain')
const machine = `${cpus().length} cores (${cpus()[0]?.model ?? 'unknown'}), Node ${process.version}, ${broker.name}`
console.log(`QoS 1, ${machine}, ${rounds} rounds\n\n${headLines()}`)
for (const row of rows) console.log(rowLine(row, await measure(row, url)))
if (flags.only === '') {
  const rss = await idleAgentRss(url, quietMs)
  console.log(
    `\nAn idle agent (one connection, one TCP input) has ${(rss / 1e6).toFixed(0)} MB of memory (RSS)`,
  )
}
