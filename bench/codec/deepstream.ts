import process from 'node:process'

import { createConverter, writeMinimal, writeProtobuf } from '../../src/codec/index.ts'
import type { DetectionEvent, StaticProperties } from '../../src/contract/index.ts'

// What the schemas of DeepStream cost: messages and bytes per CPU second, beside JSON.stringify() of the same message.
// Run: node build/bench/codec/deepstream.js [frames]

const frames = Number(process.argv[2] ?? 20_000)
const OBJECTS = 20
const ROUNDS = 3

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

interface Writer {
  readonly name: string
  readonly write: () => number
}

const full = createConverter({ schema: 'full', properties })
const fulls: unknown[] = full(event).payloads.map((text) => JSON.parse(String(text)))
const minimal: unknown = JSON.parse(writeMinimal(event))

const writers: readonly Writer[] = [
  {
    name: 'full',
    write: () => sum(full(event).payloads.map((text) => text.length)),
  },
  { name: 'full, JSON.stringify()', write: () => sum(fulls.map((full) => JSON.stringify(full).length)) },
  { name: 'minimal', write: () => writeMinimal(event).length },
  { name: 'minimal, JSON.stringify()', write: () => JSON.stringify(minimal).length },
  { name: 'protobuf', write: () => writeProtobuf(event).length },
  { name: 'detection, JSON.stringify()', write: () => JSON.stringify(event).length },
]

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}

function measure({ name, write }: Writer): string {
  let best = Infinity
  let bytes = 0
  for (let round = 0; round < ROUNDS; round += 1) {
    bytes = 0
    const before = process.cpuUsage()
    for (let count = 0; count < frames; count += 1) bytes += write()
    const { user, system } = process.cpuUsage(before)
    best = Math.min(best, (user + system) / 1e6)
  }
  const perFrame = ((best / frames) * 1e6).toFixed(1)
  const rate = Math.round(frames / best).toLocaleString('en')
  return `${name.padEnd(28)} ${perFrame.padStart(8)} µs a frame of ${OBJECTS} objects, ${rate} frames/s, ${Math.round(bytes / best / 1e6)} MB/s`
}

for (const writer of writers) process.stdout.write(`${measure(writer)}\n`)
