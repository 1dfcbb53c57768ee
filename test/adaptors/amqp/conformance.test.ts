import process from 'node:process'
import { after, before, describe, test } from 'node:test'

import { conformance } from '../../../src/contract/conformance/index.ts'
import type { RabbitmqBroker } from '../../brokers/index.ts'
import { startRabbitmq, withoutRabbitmq } from '../../brokers/index.ts'
import { amqpHarness, SITE } from './harness.ts'

const skip = withoutRabbitmq()
/** `npm run test:stress` looks longest. */
const stress = process.env['CONFORMANCE'] === 'stress'

describe('amqp conforms', { skip }, () => {
  let broker: RabbitmqBroker | undefined
  const started = () => {
    if (broker === undefined) throw new Error('The broker is not started')
    return broker
  }
  before(async () => {
    broker = await startRabbitmq({ ...SITE, proxied: ['plain', 'tls'] })
  })
  after(() => broker?.stop())

  describe('in plaintext, with a password', () => {
    conformance(amqpHarness(started, 'plain'), test, stress ? 'stress' : 'short')
  })
  describe('over mutual TLS, with EXTERNAL', () => {
    conformance(amqpHarness(started, 'tls'), test, stress ? 'stress' : 'normal')
  })
  describe('over mutual TLS while things fail', () => {
    conformance(amqpHarness(started, 'tls'), test, 'outage')
  })
})
