import process from 'node:process'

import { createConverter } from '../../src/codec/index.ts'
import type { DetectionEvent } from '../../src/contract/index.ts'
import { createJsonPath } from '../../src/kit/json-path.ts'

// What finding the key of a message in its payload costs, beside JSON.parse() of the same bytes.
// Run: node build/bench/kit/json-path.js [rounds]

const rounds = Number(process.argv[2] ?? 100_000)

const event: DetectionEvent = {
  timestamp: '2026-01-02T03:04:05.678Z',
  sensorId: 'HWY_20',
  frame: 17,
  objects: [
    {
      trackingId: '1',
      type: 'vehicle',
      label: 'car',
      confidence: 0.9,
      box: { left: 1, top: 2, width: 3, height: 4 },
      attributes: {},
    },
  ],
}
const [full = ''] = createConverter({ schema: 'full' })(event).payloads
const message = Buffer.from(String(full))
const padded = Buffer.from(JSON.stringify({ note: 'x'.repeat(9000), sensor: { id: 'HWY_20' } }))

const find = createJsonPath('sensor.id')

function parse(bytes: Buffer): unknown {
  const value: unknown = JSON.parse(bytes.toString())
  const sensor: unknown =
    typeof value === 'object' && value !== null ? Reflect.get(value, 'sensor') : undefined
  return typeof sensor === 'object' && sensor !== null ? Reflect.get(sensor, 'id') : undefined
}

function cost(work: (bytes: Buffer) => unknown, bytes: Buffer): number {
  let best = Infinity
  for (let round = 0; round < 3; round += 1) {
    const before = process.cpuUsage()
    for (let count = 0; count < rounds; count += 1) work(bytes)
    const { user, system } = process.cpuUsage(before)
    best = Math.min(best, (user + system) / rounds)
  }
  return best
}

for (const [name, bytes] of [
  ['a message of the full schema', message],
  ['a long text before the key', padded],
] as const) {
  const [scan, parsed] = [cost(find, bytes), cost(parse, bytes)]
  const figures = `scan ${scan.toFixed(2)} µs, JSON.parse() ${parsed.toFixed(2)} µs, ${(parsed / scan).toFixed(1)} times`
  process.stdout.write(`${name}, ${bytes.length} bytes: ${figures}\n`)
}
