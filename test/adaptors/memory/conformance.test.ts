import { describe, test } from 'node:test'

import { conformance } from '../../../src/contract/conformance/index.ts'
import { memoryHarness } from './harness.ts'

for (const mode of ['short', 'normal', 'stress', 'outage'] as const) {
  describe(`memory conforms: ${mode}`, () => conformance(memoryHarness(), test, mode))
}

describe('memory conforms with durable groups', () => {
  conformance(memoryHarness({}, { durableBy: 'group' }), test, 'short')
  conformance(memoryHarness({}, { durableBy: 'group' }), test, 'outage')
})

describe('memory conforms when it can do little', () => {
  const capabilities = {
    keepsOrderAfterFailure: false,
    reportsRefusals: false,
    carriesId: false,
    carriesKey: false,
    carriesHeaders: false,
    emptyPayload: false,
    patterns: false,
    groups: false,
    maxInFlight: 3,
    maxPayloadBytes: 2048,
  }
  const harness = memoryHarness({ capabilities }, { largePayloadBytes: 2048 })
  conformance(harness, test, 'normal')
  conformance(harness, test, 'outage')
})

describe('memory conforms when it only publishes', () => {
  conformance(memoryHarness({ capabilities: { subscribes: false } }), test, 'short')
})
