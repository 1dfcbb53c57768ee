import process from 'node:process'
import { parseArgs } from 'node:util'

import { createConverter, readRecord, writeMinimal, writeProtobuf } from '../../src/codec/index.ts'
import type { DetectionEvent, StaticProperties } from '../../src/contract/index.ts'
import { median } from '../median.ts'

/*
 * What the schemas of DeepStream cost, beside JSON.stringify() of the same object: for full the message itself, which is one of an object;
 * for minimal and protobuf the detection that they are written from. Writer and peer take turns; each figure is a median over the rounds,
 * a ratio that of each round. CPU time of the process.
 *
 * Run: node build/bench/codec/deepstream.js [--frames 4000] [--rounds 7]
 */

const { values } = parseArgs({
  options: { frames: { type: 'string', default: '4000' }, rounds: { type: 'string', default: '7' } },
})
const frames = Number(values.frames)
const rounds = Number(values.rounds)
const OBJECTS = 20
/** 16 sources with 30 frames a second each. */
const FRAMES_PER_SECOND = 16 * 30
const GOAL_PERCENT = 5

const where = { location: { lat: 45.29, lon: -75.83, alt: 48.15 }, coordinate: { x: 5.2, y: 10.1, z: 11.2 } }
const properties: StaticProperties = {
  sensors: new Map([[0, { id: 'HWY_20', type: 'Camera', description: 'Aniso Camera', ...where }]]),
  places: new Map([
    [0, { id: '1', type: 'road', name: 'HWY_20', subFields: ['C_127', 'Lane 1', 'P2'], ...where }],
  ]),
  analytics: new Map([[0, { id: 'XYZ', description: 'Plates', source: 'OpenALR', version: '1.0' }]]),
}

const event: DetectionEvent = {
  timestamp: '2026-01-02T03:04:05.678Z',
  sensorId: 'HWY_20',
  frame: 17,
  source: 0,
  objects: Array.from({ length: OBJECTS }, (_, index) => ({
    trackingId: String(1000 + index),
    type: 'vehicle',
    label: 'car',
    confidence: 0.5 + index / 100,
    box: { left: 100.25 + index, top: 50.5, width: 120.125, height: 129.5 },
    attributes: { type: 'sedan', make: 'Bugatti', model: 'M', color: 'blue', region: 'CA', license: 'X1' },
  })),
}

/** What is measured: it gives the bytes that it wrote. */
type Write = () => number

interface Row {
  readonly name: string
  /** Messages a frame. */
  readonly messages: number
  readonly write: Write
  readonly peer: Write
  /** The most that it may cost beside its peer. */
  readonly goal: number
}

const full = createConverter({ schema: 'full', properties })
const fulls: unknown[] = full(event).payloads.map((text) => JSON.parse(String(text)))
const detection: Write = () => JSON.stringify(event).length

const ROWS: readonly Row[] = [
  {
    name: 'full',
    messages: OBJECTS,
    write: () => sum(full(event).payloads.map((text) => text.length)),
    peer: () => sum(fulls.map((message) => JSON.stringify(message).length)),
    goal: 1.5,
  },
  { name: 'minimal', messages: 1, write: () => writeMinimal(event).length, peer: detection, goal: 2 },
  { name: 'protobuf', messages: 1, write: () => writeProtobuf(event).length, peer: detection, goal: 3 },
]

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}

/** CPU microseconds a frame, and its bytes. */
function measure(write: Write): { us: number; bytes: number } {
  let bytes = 0
  const before = process.cpuUsage()
  for (let count = 0; count < frames; count += 1) bytes += write()
  const { user, system } = process.cpuUsage(before)
  return { us: (user + system) / frames, bytes: bytes / frames }
}

process.stdout.write(
  `| schema | messages/s | MB/s | CPU µs a frame of ${OBJECTS} objects | JSON.stringify() | ratio | goal | of a core at ${FRAMES_PER_SECOND} frames/s | goal |\n`,
)
process.stdout.write('| --- | --: | --: | --: | --: | --: | --: | --: | --: |\n')
let failed = false
for (const { name, messages, write, peer, goal } of ROWS) {
  measure(write)
  measure(peer)
  const pairs = Array.from({ length: rounds }, () => ({ ours: measure(write), theirs: measure(peer) }))
  const us = median(pairs.map(({ ours }) => ours.us))
  const bytes = pairs[0]?.ours.bytes ?? 0
  const ratio = median(pairs.map(({ ours, theirs }) => ours.us / theirs.us))
  const percent = (us * FRAMES_PER_SECOND) / 1e4
  const cells = [
    name,
    Math.round((messages * 1e6) / us).toLocaleString('en'),
    Math.round(bytes / us),
    us.toFixed(1),
    median(pairs.map(({ theirs }) => theirs.us)).toFixed(1),
    ratio.toFixed(2),
    goal,
    `${percent.toFixed(1)} %`,
    `${GOAL_PERCENT} %`,
  ]
  process.stdout.write(`| ${cells.join(' | ')} |\n`)
  failed ||= ratio > goal || percent > GOAL_PERCENT
}
// what the agent does besides, before it writes
const line = Buffer.from(JSON.stringify(event))
const read: Write = () => {
  readRecord('deepstream', line)
  return line.length
}
measure(read)
const { us } = measure(read)
process.stdout.write(
  `Reading the frame from a line of JSON, and checking it: ${us.toFixed(1)} µs, ${((us * FRAMES_PER_SECOND) / 1e4).toFixed(1)} % of a core.\n`,
)
process.stdout.write(failed ? 'FAIL\n' : 'PASS\n')
process.exitCode = failed ? 1 : 0
