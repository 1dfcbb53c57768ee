import process from 'node:process'
import { after, before, describe, test } from 'node:test'

import { conformance } from '../../../src/contract/conformance/index.ts'
import type { KafkaBroker } from '../../brokers/index.ts'
import { startKafka } from '../../brokers/index.ts'
import type { Way } from './harness.ts'
import { allowClients, kafkaHarness, USER } from './harness.ts'
import type { KafkaDriver } from './support.ts'

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

/** The conformance suite over each listener that matters, with one driver. */
export function kafkaConforms(driver: KafkaDriver, skip: string | false): void {
  describe(`kafka conforms with the driver ${driver}`, { skip }, () => {
    const started = broker({
      users: { [USER.user]: USER.password },
      proxied: ['plain', 'mutual', 'saslTls'],
    })
    for (const [name, way] of Object.entries(WAYS)) {
      describe(name, () => conformance(kafkaHarness(started, { ...way, driver }), test, modeOf(way)))
    }
  })
}

/** Its outages over mutual TLS. */
export function kafkaConformsInOutages(driver: KafkaDriver, skip: string | false): void {
  describe(`kafka conforms over mutual TLS while things fail, with the driver ${driver}`, { skip }, () => {
    const started = broker({ proxied: ['mutual'] })
    conformance(kafkaHarness(started, { listener: 'mutual', driver }), test, 'outage')
  })
}

/** The broker of a suite: started before its first test, stopped after its last. */
function broker(options: Parameters<typeof startKafka>[0]): () => KafkaBroker {
  let started: KafkaBroker | undefined
  before(async () => {
    started = await startKafka(options)
    await allowClients(started)
  })
  after(() => started?.stop())
  return () => {
    if (started === undefined) throw new Error('The broker is not started')
    return started
  }
}
