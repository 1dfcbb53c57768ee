import process from 'node:process'
import { after, before, describe, test } from 'node:test'

import { conformance } from '../../../src/contract/conformance/index.ts'
import type { KafkaBroker } from '../../brokers/index.ts'
import { startKafka, withoutKafka } from '../../brokers/index.ts'
import type { Way } from './harness.ts'
import { allowClients, kafkaHarness, USER } from './harness.ts'

const skip = withoutKafka()
/** `npm run test:stress` looks longest. What most devices use is looked at longer than the rest. */
function modeOf({ listener }: Way): 'short' | 'normal' | 'stress' {
  if (process.env['CONFORMANCE'] === 'stress') return 'stress'
  return listener === 'mutual' ? 'normal' : 'short'
}

const WAYS: Readonly<Record<string, Way>> = {
  'in plaintext': { listener: 'plain' },
  'over mutual TLS': { listener: 'mutual' },
  'with PLAIN over TLS': { listener: 'saslTls', sasl: 'PLAIN' },
  'with SCRAM-SHA-512 over TLS': { listener: 'saslTls', sasl: 'SCRAM-SHA-512' },
}

describe('kafka conforms', { skip }, () => {
  let broker: KafkaBroker | undefined
  const started = () => {
    if (broker === undefined) throw new Error('The broker is not started')
    return broker
  }
  before(async () => {
    broker = await startKafka({
      users: { [USER.user]: USER.password },
      proxied: ['plain', 'mutual', 'saslTls'],
    })
    await allowClients(broker)
  })
  after(() => broker?.stop())

  for (const [name, way] of Object.entries(WAYS)) {
    describe(name, () => conformance(kafkaHarness(started, way), test, modeOf(way)))
  }
})
