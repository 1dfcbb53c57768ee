import { after, before, describe } from 'node:test'

import type { KafkaBroker } from '../../brokers/index.ts'
import { startKafka, withoutKafka } from '../../brokers/index.ts'
import { acceptanceTests } from './acceptance.ts'
import { cliTests } from './cli.ts'
import { groupTests } from './groups.ts'
import { interopTests } from './interop.ts'
import { mistakesTests } from './mistakes.ts'
import { publishingTests } from './publishing.ts'
import { subscribingTests } from './subscribing.ts'
import { tlsTests } from './tls.ts'
import { tokenTests } from './tokens.ts'

describe('kafka at a real broker', { skip: withoutKafka('kcat') }, () => {
  let broker: KafkaBroker | undefined
  const started = () => {
    if (broker === undefined) throw new Error('The broker is not started')
    return broker
  }
  before(async () => {
    broker = await startKafka({ users: { ann: 'secret' }, proxied: ['plain'] })
  })
  after(() => broker?.stop())

  describe('mistakes', () => mistakesTests(started))
  describe('publishing', () => publishingTests(started))
  describe('other clients', () => interopTests(started))
  describe('keys and TLS settings', () => tlsTests(started))
  describe('tokens', () => tokenTests(started))
  describe('acceptance', () => acceptanceTests(started))
  describe('command line', () => cliTests(started))
  describe('groups', () => groupTests(started))
  describe('subscribing', () => subscribingTests(started))
})
