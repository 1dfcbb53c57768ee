import { after, before, describe, test } from 'node:test'

import { conformance } from '../../../src/contract/conformance/index.ts'
import type { KafkaBroker } from '../../brokers/index.ts'
import { startKafka, withoutKafka } from '../../brokers/index.ts'
import { allowClients, kafkaHarness } from './harness.ts'

describe('kafka conforms over mutual TLS while things fail', { skip: withoutKafka() }, () => {
  let broker: KafkaBroker | undefined
  const started = () => {
    if (broker === undefined) throw new Error('The broker is not started')
    return broker
  }
  before(async () => {
    broker = await startKafka({ proxied: ['mutual'] })
    await allowClients(broker)
  })
  after(() => broker?.stop())

  conformance(kafkaHarness(started, { listener: 'mutual' }), test, 'outage')
})
