import { after, before, describe, test } from 'node:test'

import { conformance } from '../../../src/contract/conformance/index.ts'
import { without } from '../../brokers/index.ts'
import { mqttHarness } from './harness.ts'

for (const listener of ['plain', 'mutual'] as const) {
  describe(`MQTT 3.1.1 against Mosquitto conforms: ${listener}`, { skip: without('mosquitto') }, () => {
    const harness = mqttHarness({ broker: 'mosquitto', version: '3.1.1', listener })
    before(harness.open)
    after(harness.close)
    conformance(harness, test, listener === 'plain' ? 'normal' : 'short')
    conformance(harness, test, 'outage')
  })
}
