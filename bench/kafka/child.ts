import process from 'node:process'
import { setTimeout as delay } from 'node:timers/promises'

import { Round } from '../round.ts'
import type { Place, Side } from './side.ts'

/*
 * One side in its own process. Arguments: side, direction, the place of the broker as JSON.
 *
 * It says `ready`, or why it cannot be. Then each command of its parent is one round:
 *
 * - a producer: `TOPIC COUNT BYTES` produces so many messages as fast as it can, with `pace` behind it a few every few milliseconds;
 * - a consumer: `TOPIC COUNT GROUP` reads them; it says `reading` first, and then what the round took. With `pace` behind it, also how
 *   long each message was on its way: such a message begins with the time at which it was made.
 */

const PAYLOADS = 64
const PACE_MS = 5
const PACE_MESSAGES = 5
const STAMP_BYTES = 8

const [sideName = '', direction = '', placeText = ''] = process.argv.slice(2)

// only the library that is measured is loaded
async function open(): Promise<Side | string> {
  const place: Place = JSON.parse(placeText)
  if (sideName === 'platformatic') return (await import('./platformatic.ts')).openPlatformatic(place)
  if (sideName === 'librdkafka') {
    const binding = (await import('./native.ts')).loadBinding()
    if (binding === undefined) return 'it is not built: run node build/scripts/setup-brokers.js'
    return (await import('./librdkafka.ts')).openLibrdkafka(binding, place)
  }
  const { openBackhaul } = await import('./backhaul.ts')
  if (sideName === 'backhaul') return openBackhaul(place, {})
  try {
    return await openBackhaul(place, { driver: 'librdkafka' })
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

/** Milliseconds on a clock that all processes share. */
function now(): number {
  return performance.timeOrigin + performance.now()
}

/** Payloads of one size that differ, so that they are not all in the processor's cache. */
function makePayloads(bytes: number): Buffer[] {
  return Array.from({ length: PAYLOADS }, (_, index) => {
    const payload = Buffer.alloc(Math.max(bytes, STAMP_BYTES))
    for (let at = 0; at < payload.length; at += 1) payload[at] = 97 + ((index * 7 + at * at * 31) % 26)
    return payload
  })
}

function report(round: Round, latencies: Float64Array): void {
  latencies.sort()
  const at = (part: number) => latencies[Math.floor(latencies.length * part)] ?? 0
  round.report({ p50Ms: at(0.5), p99Ms: at(0.99) })
}

async function produce(side: Side, topic: string, count: number, bytes: number): Promise<void> {
  const payloads = makePayloads(bytes)
  const latencies = new Float64Array(count)
  const round = new Round(count)
  round.start()
  await side.produce(topic, payloads, latencies)
  report(round, latencies)
}

async function pace(side: Side, topic: string, count: number, bytes: number): Promise<void> {
  const payloads = makePayloads(bytes).slice(0, PACE_MESSAGES)
  for (let sent = 0; sent < count; sent += PACE_MESSAGES) {
    for (const payload of payloads) payload.writeDoubleBE(now())
    await side.produce(topic, payloads, new Float64Array(PACE_MESSAGES))
    await delay(PACE_MS)
  }
}

async function consume(
  side: Side,
  topic: string,
  count: number,
  group: string,
  paced: boolean,
): Promise<void> {
  const consumption = await side.consume(topic, group)
  const latencies = new Float64Array(count)
  let received = 0
  let reportAll: () => void = () => undefined
  const all = new Promise<void>((resolve) => (reportAll = resolve))
  const round = new Round(count)
  round.start()
  await consumption.start((payload) => {
    if (received === 0) round.waited()
    if (paced) latencies[received] = now() - new DataView(payload.buffer, payload.byteOffset).getFloat64(0)
    received += 1
    if (received === count) reportAll()
  })
  process.send?.('reading')
  await all
  report(round, latencies)
  await consumption.stop()
}

function serve(side: Side): void {
  const obey = async (command: string): Promise<void> => {
    const [topic = '', countText = '', rest = '', paced = ''] = command.split(' ')
    const count = Number(countText)
    if (direction === 'consume') await consume(side, topic, count, rest, paced === 'pace')
    else if (paced === 'pace') await pace(side, topic, count, Number(rest))
    else await produce(side, topic, count, Number(rest))
  }
  process.on('message', (command) => void obey(String(command)))
  process.once('disconnect', () => void side.close())
}

const side = await open()
if (typeof side === 'string') {
  process.send?.(side)
  process.once('disconnect', () => undefined)
} else {
  serve(side)
  process.send?.('ready')
}
