import assert from 'node:assert/strict'
import process from 'node:process'
import { after, before, describe, test } from 'node:test'

import { conformance } from '../../../src/contract/conformance/index.ts'
import type { RabbitmqBroker } from '../../brokers/index.ts'
import { startRabbitmq, withoutRabbitmq } from '../../brokers/index.ts'
import { amqpHarness, SITE, USER } from './harness.ts'
import { dial, tlsFrom } from './support.ts'

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
    broker = await startRabbitmq({ ...SITE, proxied: ['plain', 'tls'], demandsCertificate: true })
  })
  after(() => broker?.stop())

  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    test(`dial() tells a missing client certificate, ${maxVersion}`, async () => {
      const tls = tlsFrom(started().pki.ca, undefined, { maxVersion })
      await assert.rejects(dial(started().url('tls'), { tls, auth: USER }), {
        code: 'CLIENT_CERTIFICATE_REQUIRED',
      })
    })
  }
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
