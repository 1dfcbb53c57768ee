import { cpus } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { parseArgs } from 'node:util'

import type { KafkaBroker } from '../../test/brokers/index.ts'
import { startKafka } from '../../test/brokers/index.ts'
import { librdkafkaFolder } from '../../test/brokers/librdkafka.ts'
import { Runner } from './runner.ts'
import type { Figures, Place, Row, SideName } from './side.ts'
import { SIDES, TITLES } from './side.ts'
import { soak } from './soak.ts'
import { headLines, rowLines } from './table.ts'
import type { Results } from './table.ts'

// Backhaul beside the bare drivers, over one Apache Kafka. What it measures and how to read it: docs/benchmarks.md.
// Run: node build/bench/kafka/main.js [--quick] [--rounds 5] [--only "consume mutual 1024"] [--profile FOLDER]
//      node build/bench/kafka/main.js --soak [--messages 10000000]

const { values: flags } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    only: { type: 'string', default: '' },
    profile: { type: 'string' },
    soak: { type: 'boolean', default: false },
    messages: { type: 'string', default: '10000000' },
  },
})
const rounds = Number(flags.rounds ?? (flags.quick ? 1 : 3))
/** Rounds that count for nothing, of small messages: before them the compiler of the engine is not done with any side. */
const WARM_UPS = flags.quick ? 0 : 5
const WARM_UP = { messages: 40_000, bytes: 200 } as const
const nodeOptions = flags.profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${flags.profile}`]

const rows = (['produce', 'consume'] as const)
  .flatMap((direction) =>
    (flags.quick ? (['mutual'] as const) : (['plain', 'mutual'] as const)).flatMap((listener) =>
      (flags.quick ? [1024] : [200, 1024, 10_240]).map((bytes): Row => {
        const messages = flags.quick ? 200 : bytes > 4096 ? 6000 : 40_000
        return { direction, listener, bytes, messages }
      }),
    ),
  )
  .filter(({ direction, listener, bytes }) => {
    // whole words: 1024 is not 10240
    return flags.only === '' || `${direction} ${listener} ${bytes} `.startsWith(`${flags.only} `)
  })

/** In words why a side does not run. */
const missing = new Map<SideName, string>()
/** What a topic of the benchmark may hold: the disk is not filled. */
const SMALL_TOPIC = { 'retention.bytes': '134217728', 'segment.bytes': '16777216' }

/** The sides that run; the others say why they do not. */
async function startSides(row: Row, place: Place): Promise<Map<SideName, Runner>> {
  const runners = new Map<SideName, Runner>()
  for (const side of SIDES) {
    const runner = await Runner.start(side, row.direction, place, nodeOptions)
    if (typeof runner === 'string') missing.set(side, runner)
    else runners.set(side, runner)
  }
  return runners
}

/** All rounds of one row, the sides in turn. */
async function measure(row: Row, broker: KafkaBroker): Promise<Results> {
  const place = await placeOf(row.listener, broker)
  const runners = await startSides(row, place)
  const topic = `${row.direction}-${row.listener}-${row.bytes}`
  await broker.admin.createTopic(topic, {
    partitions: 4,
    ...(row.direction === 'produce' && { configs: SMALL_TOPIC }),
  })
  try {
    if (row.direction === 'produce') {
      return await inTurn(
        runners,
        (runner) => runner.produce(topic, WARM_UP),
        (runner) => runner.produce(topic, row),
      )
    }
    return await readInTurn(row, place, topic, runners, broker)
  } finally {
    for (const runner of runners.values()) await runner[Symbol.asyncDispose]()
  }
}

/** All sides read one topic, each round in a new group; then each shows how long a message is on its way. */
async function readInTurn(
  row: Row,
  place: Place,
  topic: string,
  runners: ReadonlyMap<SideName, Runner>,
  broker: KafkaBroker,
): Promise<Results> {
  const started = await Runner.start('backhaul', 'produce', place, [])
  if (typeof started === 'string') throw new Error(started)
  await using feeder = started
  const warm = `${topic}-warm`
  if (WARM_UPS > 0) {
    await broker.admin.createTopic(warm, { partitions: 4 })
    await feeder.produce(warm, WARM_UP)
  }
  await feeder.produce(topic, row)
  const results = await inTurn(
    runners,
    (runner) => runner.consume(warm, WARM_UP.messages),
    (runner) => runner.consume(topic, row.messages),
  )
  for (const [side, runner] of runners) {
    const paced = `${topic}-${side}`
    await broker.admin.createTopic(paced, { partitions: 4 })
    const { p50Ms, p99Ms } = await runner.listen(paced, feeder, { ...row, messages: flags.quick ? 50 : 1000 })
    const figures = results.get(side) ?? []
    results.set(
      side,
      figures.map((one) => ({ ...one, p50Ms, p99Ms })),
    )
  }
  return results
}

async function inTurn(
  runners: ReadonlyMap<SideName, Runner>,
  warmUp: (runner: Runner) => Promise<Figures>,
  round: (runner: Runner) => Promise<Figures>,
): Promise<Map<SideName, Figures[]>> {
  const results = new Map<SideName, Figures[]>()
  for (const side of runners.keys()) results.set(side, [])
  for (const runner of runners.values()) {
    for (let count = 0; count < WARM_UPS; count += 1) await warmUp(runner)
    await round(runner)
  }
  for (let count = 0; count < rounds; count += 1) {
    for (const [side, runner] of runners) results.get(side)?.push(await round(runner))
  }
  return results
}

async function placeOf(listener: Row['listener'], broker: KafkaBroker): Promise<Place> {
  const address = `127.0.0.1:${broker.port(listener)}`
  if (listener === 'plain') return { address }
  return { address, tls: { ca: broker.pki.ca, ...(await broker.pki.client('bench')) } }
}

// the native driver is built outside the clone, and found as that of a user is
process.env['NODE_PATH'] = join(librdkafkaFolder(), 'node_modules')
await using broker = await startKafka({ settings: { 'log.retention.check.interval.ms': 5000 } })
await broker.admin.allow('bench', 'write topic *', 'read topic *', 'read group *')
const machine = `${cpus().length} cores (${cpus()[0]?.model ?? 'unknown'}), Node ${process.version}, ${broker.name}`
if (flags.soak) {
  console.log(`One process that produces and consumes, mutual TLS, 200 B, ${machine}`)
  await broker.admin.createTopic('soak', { partitions: 4, configs: SMALL_TOPIC })
  const messages = Number(flags.messages)
  await soak(await placeOf('mutual', broker), 'soak', messages, Math.ceil(messages / 10))
} else {
  console.log(`acks=all, ${machine}, ${rounds} rounds\n\n${headLines()}`)
  for (const row of rows) console.log(rowLines(row, await measure(row, broker)))
  for (const [side, why] of missing) console.log(`\nLeft out: ${TITLES[side]}. ${why}`)
}
