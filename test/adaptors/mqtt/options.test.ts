import assert from 'node:assert/strict'
import { test } from 'node:test'

import { mqtt } from '../../../src/adaptors/mqtt/index.ts'
import { parseAddress } from '../../../src/kit/address.ts'
import { NEVER, tlsFrom } from './support.ts'

function read(address: string, config: Readonly<Record<string, unknown>> = {}) {
  return mqtt.options(parseAddress(address), config)
}

test('options() gives every host its default port by the scheme', () => {
  const ports = (address: string) => read(address).hosts.map(({ host, port }) => `${host} ${port}`)
  assert.deepEqual(ports('mqtt://a'), ['a 1883'])
  assert.deepEqual(ports('mqtts://a,b:8884,[::1]'), ['a 8883', 'b 8884', '::1 8883'])
  assert.deepEqual(ports('ws://a/mqtt'), ['a 80'])
  assert.deepEqual(ports('wss://a'), ['a 443'])
})

test('options() has safe defaults', () => {
  const { qos, version, clientId, sessionExpirySeconds, keepAliveSeconds, retain, will } = read('mqtt://a')
  assert.deepEqual(
    { qos, version, clientId, sessionExpirySeconds, keepAliveSeconds, retain, will },
    {
      qos: 1,
      version: 'auto',
      clientId: undefined,
      sessionExpirySeconds: 0,
      keepAliveSeconds: 30,
      retain: false,
      will: undefined,
    },
  )
})

test('options() reads the text of a query like the values of an object', () => {
  const query =
    'qos=2&retain=true&keepAliveSeconds=5&connectTimeoutMs=2s&clientId=edge-1&sessionExpirySeconds=60'
  const object = {
    qos: 2,
    retain: true,
    keepAliveSeconds: 5,
    connectTimeoutMs: 2000,
    clientId: 'edge-1',
    sessionExpirySeconds: 60,
  }
  assert.deepEqual(read(`mqtt://a?${query}`), read('mqtt://a', object))
})

test('options() refuses what is unknown, contradictory or of the wrong kind, with the fix', () => {
  const cases: [address: string, config: Readonly<Record<string, unknown>>, pattern: RegExp][] = [
    ['mqtt://a?keepAliveSecond=5', {}, /did you mean "keepAliveSeconds"/],
    ['mqtt://a', { qos: 3 }, /"qos"/],
    ['mqtt://a', { version: '4' }, /"version"/],
    ['mqtt://a', { sessionExpirySeconds: 60 }, /give a "clientId" that stays the same/],
    ['mqtt://a?qos=1', { qos: 1 }, /"qos" is given in the address and in the options/],
    ['mqtt://a', { will: { topic: 'a', payloads: 'x' } }, /did you mean "payload"/],
    ['mqtt://a', { clientId: 'a\0' }, /U\+0000/],
    ['mqtt://a', { receiveMaximum: 0 }, /"receiveMaximum"/],
  ]
  for (const [address, config, message] of cases) {
    assert.throws(() => read(address, config), { code: 'INVALID_OPTIONS', message })
  }
  assert.throws(() => read('mqtt://a', { will: { topic: 'a/#' } }), { code: 'INVALID_TOPIC' })
  assert.throws(() => read('mqtt://a/path'), { code: 'INVALID_ADDRESS', message: /has no path/ })
  assert.throws(() => read('http://a'), { code: 'INVALID_ADDRESS', message: /mqtts:\/\/host:8883/ })
})

test('signature() is equal for equal options however they are given, and holds no header value', () => {
  const query = read('wss://a/mqtt?qos=2&keepAliveSeconds=10')
  const object = read('wss://a:443/mqtt', { keepAliveSeconds: 10, qos: 2 })
  assert.equal(mqtt.signature(query), mqtt.signature(object))
  const header = (value: string) =>
    mqtt.signature(read('wss://a', { websocketHeaders: { authorization: value } }))
  assert.notEqual(header('Bearer one'), header('Bearer two'))
  assert.ok(!header('Bearer one').includes('Bearer'))
})

test('checkTopic() tells names to publish to from filters to subscribe to', () => {
  mqtt.checkTopic('a/b', 'publish')
  mqtt.checkTopic('$share/g/a/+', 'subscribe')
  assert.throws(() => mqtt.checkTopic('a/+', 'publish'), { code: 'INVALID_TOPIC' })
  assert.throws(() => mqtt.checkTopic('a/#/b', 'subscribe'), { code: 'INVALID_TOPIC' })
})

test('dial() never goes on in plaintext where the address says TLS, nor the other way round', async () => {
  const request = (address: string, secure: boolean) => ({
    options: read(address),
    tls: secure ? tlsFrom(undefined) : undefined,
    auth: undefined,
  })
  await assert.rejects(mqtt.dial(request('mqtts://127.0.0.1:1', false), NEVER), { code: 'INVALID_OPTIONS' })
  await assert.rejects(mqtt.dial(request('ws://127.0.0.1:1', true), NEVER), {
    code: 'INVALID_OPTIONS',
    message: /use wss:\/\//,
  })
})
