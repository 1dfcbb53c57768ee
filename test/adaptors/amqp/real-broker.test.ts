import { after, before, describe } from 'node:test'

import type { RabbitmqBroker } from '../../brokers/index.ts'
import { startRabbitmq, withoutRabbitmq } from '../../brokers/index.ts'
import { mistakesTests } from './mistakes.ts'
import { publishingTests } from './publishing.ts'
import { subscribingTests } from './subscribing.ts'

describe('amqp at a real broker', { skip: withoutRabbitmq('amqp-publish', 'amqp-get') }, () => {
  let broker: RabbitmqBroker | undefined
  const started = () => {
    if (broker === undefined) throw new Error('The broker is not started')
    return broker
  }
  before(async () => {
    broker = await startRabbitmq({
      users: {
        ann: { password: 'secret', virtualHosts: ['/', 'mine'] },
        weak: { password: 'weak', configure: '' },
        edge: { password: 'edge', topics: { write: '^edge\\.', read: '^edge\\.' } },
        'edge-1': {},
      },
      virtualHosts: ['mine', 'others'],
      exchanges: { fan: 'fanout' },
      queues: [{ name: 'classic-queue' }, { name: 'tools-kept', topics: ['tools.kept'] }],
      settings: { max_message_size: 200_000 },
    })
  })
  after(() => broker?.stop())

  describe('mistakes', () => mistakesTests(started))
  describe('publishing', () => publishingTests(started))
  describe('subscribing', () => subscribingTests(started))
})
