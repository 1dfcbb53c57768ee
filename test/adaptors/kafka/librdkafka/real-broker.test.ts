import { after, before, describe } from 'node:test'

import type { KafkaBroker } from '../../../brokers/index.ts'
import { startKafka, withoutKafka, withoutLibrdkafka } from '../../../brokers/index.ts'
import { groupTests } from '../groups.ts'
import { mistakesTests } from '../mistakes.ts'
import { publishingTests } from '../publishing.ts'
import { subscribingTests } from '../subscribing.ts'
import { tlsTests } from '../tls.ts'
import { tokenTests } from '../tokens.ts'

describe('librdkafka at a real broker', { skip: withoutKafka() || withoutLibrdkafka() }, () => {
  let broker: KafkaBroker | undefined
  const started = () => {
    if (broker === undefined) throw new Error('The broker is not started')
    return broker
  }
  before(async () => {
    broker = await startKafka({ users: { ann: 'secret' }, proxied: ['plain'] })
  })
  after(() => broker?.stop())

  describe('mistakes', () => mistakesTests(started, 'librdkafka'))
  describe('publishing', () => publishingTests(started, 'librdkafka'))
  describe('keys and TLS settings', () => tlsTests(started, 'librdkafka'))
  describe('tokens', () => tokenTests(started, 'librdkafka'))
  describe('groups', () => groupTests(started, 'librdkafka'))
  describe('subscribing', () => subscribingTests(started, 'librdkafka'))
})
