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
    // a consumer of librdkafka that owes a confirmation is closed only when its broker has answered, so that stays up until then
    const started = broker({ proxied: ['mutual'] }, driver === 'librdkafka' ? linesClosed : undefined)
    conformance(kafkaHarness(started, { listener: 'mutual', driver }), test, 'outage')
  })
}

/** Waits until no line has been open for a while, longer than anybody waits before it dials again. */
async function linesClosed(broker: KafkaBroker): Promise<void> {
  const proxy = broker.proxy('mutual')
  for (let tries = 0, quiet = 0; quiet < 30 && tries < 200; tries += 1) {
    quiet = proxy.connections === 0 ? quiet + 1 : 0
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

/** The broker of a suite: started before its first test, stopped after its last. */
function broker(
  options: Parameters<typeof startKafka>[0],
  beforeStop?: (broker: KafkaBroker) => Promise<void>,
): () => KafkaBroker {
  let started: KafkaBroker | undefined
  before(async () => {
    started = await startKafka(options)
    await allowClients(started)
  })
  after(async () => {
    if (started !== undefined) await beforeStop?.(started)
    await started?.stop()
  })
  return () => {
    if (started === undefined) throw new Error('The broker is not started')
    return started
  }
}
