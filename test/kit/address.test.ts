import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'

import { BackhaulError } from '../../src/contract/index.ts'
import { parseAddress, redactAddress } from '../../src/kit/address.ts'

test('parseAddress() takes every part apart', () => {
  assert.deepEqual(parseAddress('MQTTS://ed%40ge:s%3Acret@broker.example:8883/a%20b?qos=2&clientId=x'), {
    scheme: 'mqtts',
    hosts: [{ host: 'broker.example', port: 8883 }],
    path: '/a b',
    user: 'ed@ge',
    password: 's:cret',
    query: { qos: '2', clientId: 'x' },
    display: 'mqtts://ed%40ge@broker.example:8883/a%20b',
  })
})

test('parseAddress() reads several hosts, IPv6 and addresses without a host', () => {
  assert.deepEqual(parseAddress('kafkas://a:9093,[::1]:9094,b').hosts, [
    { host: 'a', port: 9093 },
    { host: '::1', port: 9094 },
    { host: 'b', port: undefined },
  ])
  assert.deepEqual(parseAddress('memory:demo').hosts, [])
  assert.equal(parseAddress('memory:demo').path, 'demo')
})

const MISTAKES: readonly (readonly [text: string, phrase: RegExp])[] = [
  ['broker.example', /no scheme, write for example/],
  ['broker.example:8883', /no scheme, write for example mqtts:\/\/broker.example:8883/],
  ['mqtt://', /not a host/],
  ['mqtt://host:99999', /port is from 1 to 65535/],
  ['mqtt://host:0', /port is from 1 to 65535/],
  ['mqtt://host:port', /not a host/],
  ['mqtt://ho st', /not a host/],
  ['mqtt://u:p%zz@host', /two hexadecimal digits/],
  ['mqtt://host?qos=1&qos=2', /"qos" is given twice/],
]

for (const [text, phrase] of MISTAKES) {
  test(`parseAddress() refuses "${text}" in words`, () => {
    assert.throws(
      () => parseAddress(text),
      (error) =>
        error instanceof BackhaulError && error.code === 'INVALID_ADDRESS' && phrase.test(error.message),
    )
  })
}

test('no error and no display of an address shows its password', () => {
  const secret = fc.stringMatching(/^[A-Za-z0-9%:!.]{6,20}$/)
  fc.assert(
    fc.property(secret, fc.constantFrom('', ':0', ':99999', '/%', '?a=1&a=2', ' x'), (password, tail) => {
      const text = `mqtts://user:zq${password}zq@host${tail}`
      assert.ok(!redactAddress(text).includes(`zq${password}`))
      try {
        assert.ok(!parseAddress(text).display.includes(`zq${password}`))
      } catch (error) {
        assert.ok(error instanceof BackhaulError)
        assert.ok(!error.message.includes(`zq${password}`))
      }
    }),
  )
})
