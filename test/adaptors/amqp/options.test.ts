import assert from 'node:assert/strict'
import { test } from 'node:test'

import { amqp } from '../../../src/adaptors/amqp/index.ts'
import { BackhaulError } from '../../../src/contract/index.ts'
import { parseAddress } from '../../../src/kit/address.ts'

function read(url: string, config: Readonly<Record<string, unknown>> = {}) {
  return amqp.options(parseAddress(url), config)
}

function throws(code: string, says: RegExp, url: string, config: Readonly<Record<string, unknown>> = {}) {
  assert.throws(
    () => read(url, config),
    (error) => error instanceof BackhaulError && error.code === code && says.test(error.message),
  )
}

test('options() has safe defaults, ports by scheme and the virtual host from the path', () => {
  const { hosts, virtualHost, exchange, persistent, mandatory, queueType } = read('amqp://a')
  assert.deepEqual(hosts, [{ host: 'a', port: 5672 }])
  assert.deepEqual(
    [virtualHost, exchange, persistent, mandatory, queueType],
    ['/', 'amq.topic', true, true, 'quorum'],
  )
  assert.deepEqual(read('amqps://a,b:5673').hosts, [
    { host: 'a', port: 5671 },
    { host: 'b', port: 5673 },
  ])
  const hostsOf = ['amqp://a/', 'amqp://a/edge', 'amqp://a/%2F', 'amqp://a/a%2Fb', 'amqp://a?virtualHost=x']
  assert.deepEqual(
    hostsOf.map((url) => read(url).virtualHost),
    ['/', 'edge', '/', 'a/b', 'x'],
  )
})

test('options() refuses what is mistyped, given twice or contradicts itself', () => {
  throws('INVALID_OPTIONS', /"exchnge" is unknown, did you mean "exchange"/, 'amqp://a?exchnge=x')
  throws(
    'INVALID_OPTIONS',
    /"mandatory" is given in the address and in the options/,
    'amqp://a?mandatory=true',
    {
      mandatory: true,
    },
  )
  throws('INVALID_OPTIONS', /virtual host is given in the address and as "virtualHost"/, 'amqp://a/x', {
    virtualHost: 'y',
  })
  throws('INVALID_OPTIONS', /quorum queues are always durable/, 'amqp://a', { durable: false })
  throws('INVALID_OPTIONS', /"heartbeatSeconds"/, 'amqp://a?heartbeatSeconds=-1')
  throws('INVALID_ADDRESS', /write it as amqps:/, 'mqtt://a')
})

test('checkTopic() takes words, and patterns only to subscribe to', () => {
  for (const topic of ['a', 'a.b', 'a/b', 'a*b', '*x.y', '日本', 'x'.repeat(255)]) {
    amqp.checkTopic(topic, 'publish')
    amqp.checkTopic(topic, 'subscribe')
  }
  for (const topic of ['*', 'a.*', '#', 'a.#.b']) {
    amqp.checkTopic(topic, 'subscribe')
    assert.throws(() => amqp.checkTopic(topic, 'publish'), { code: 'INVALID_TOPIC' })
  }
  for (const topic of ['', 'x'.repeat(256), 'a\0b', '\ud800']) {
    assert.throws(() => amqp.checkTopic(topic, 'subscribe'), { code: 'INVALID_TOPIC' })
  }
})
