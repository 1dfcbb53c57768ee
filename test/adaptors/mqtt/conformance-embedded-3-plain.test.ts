import { after, before, describe, test } from 'node:test'

import { conformance } from '../../../src/contract/conformance/index.ts'

import { mqttHarness } from './harness.ts'

describe('mqtt conforms: MQTT 3.1.1 against embedded, plain', {}, () => {
  const { harness, start, stop } = mqttHarness({ broker: 'embedded', version: '3.1.1', listener: 'plain' })
  before(start)
  after(stop)
  conformance(harness, test, 'normal')
  conformance(harness, test, 'outage')
})
