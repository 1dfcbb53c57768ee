import { after, before, describe, test } from 'node:test'

import { conformance } from '../../../src/contract/conformance/index.ts'
import { without } from '../../brokers/index.ts'
import { mqttHarness } from './harness.ts'

describe('mqtt conforms: MQTT 3.1.1 against mosquitto, mutual', { skip: without('mosquitto') }, () => {
  const { harness, start, stop } = mqttHarness({ broker: 'mosquitto', version: '3.1.1', listener: 'mutual' })
  before(start)
  after(stop)
  conformance(harness, test, 'short')
  conformance(harness, test, 'outage')
})
