import { after, before, describe, test } from 'node:test'

import { conformance } from '../../../src/contract/conformance/index.ts'
import { without } from '../../brokers/index.ts'
import { mqttHarness } from './harness.ts'

describe('mqtt conforms: MQTT 5 against mosquitto, plain', { skip: without('mosquitto') }, () => {
  const { harness, start, stop } = mqttHarness({ broker: 'mosquitto', version: '5', listener: 'plain' })
  before(start)
  after(stop)
  conformance(harness, test, 'normal')
  conformance(harness, test, 'outage')
})
