import assert from 'node:assert/strict'
import { test } from 'node:test'

import { kafka } from '../../../src/adaptors/kafka/index.ts'
import { PROPERTIES } from '../../../src/kit/kafka/properties.ts'
import { readProtoCfg } from '../../../src/kit/kafka/proto-cfg.ts'
import { BackhaulError } from '../../../src/contract/index.ts'
import { parseAddress } from '../../../src/kit/address.ts'

const read = (...texts: string[]) => readProtoCfg(texts.map((text) => ({ key: 'proto-cfg', text })))
const refusal = (text: string) => {
  try {
    read(text)
  } catch (error) {
    assert.ok(error instanceof BackhaulError)
    assert.equal(error.code, 'INVALID_OPTIONS')
    return error.message
  }
  return assert.fail(`it was taken: ${text}`)
}

test('readProtoCfg() takes properties of 2-way TLS and of SASL', () => {
  const tls = read(
    '"security.protocol=ssl;ssl.ca.location=/ca.pem;ssl.certificate.location=/c.pem;ssl.key.location=/k.pem;ssl.key.password=a=b;ssl.cipher.suites=X;debug=broker,security"',
  )
  assert.deepEqual(
    { ...tls.tls },
    { ca: '/ca.pem', cert: '/c.pem', key: '/k.pem', passphrase: 'a=b', ciphers: 'X' },
  )
  assert.equal(tls.secure, true)
  assert.deepEqual(tls.notes, ['"debug" only tunes librdkafka: it has no effect with this driver'])
  const sasl = read(
    '"security.protocol=SASL_SSL;sasl.mechanism=SCRAM-SHA-512;sasl.username=u;sasl.password=p"',
  )
  assert.deepEqual({ ...sasl.auth }, { user: 'u', password: 'p' })
  assert.deepEqual({ ...sasl.options }, { sasl: 'SCRAM-SHA-512' })
})

test('B2: quotes, blanks and length of proto-cfg', () => {
  assert.deepEqual({ ...read('"acks=1;client.id=a"').options }, { acks: '1', clientId: 'a' })
  assert.deepEqual({ ...read('').options }, {})
  assert.deepEqual({ ...read('""').options }, {})
  assert.deepEqual(read('"acks=1;"').notes, [])
  const bare = read('acks=1')
  assert.deepEqual({ ...bare.options }, { acks: '1' })
  assert.match(bare.notes.join(), /stands without quotes/)
  assert.match(read('"acks=1; client.id=a"  ').notes.join(), /blanks around "client\.id"/)
  assert.match(refusal(`"client.id=${'x'.repeat(1020)}"`), /longer than 1023/)
  assert.match(refusal('"acks=1" "client.id=a"'), /a quote within it/)
})

test('C11: a mistyped property is an error with the nearest name, and never leads to plaintext', () => {
  assert.match(
    refusal('"security.protocl=ssl"'),
    /"proto-cfg\.security\.protocl" is unknown, did you mean "security\.protocol"/,
  )
  assert.match(refusal('"no.such.key=1;security.protocol=ssl"'), /"proto-cfg\.no\.such\.key" is unknown/)
  assert.match(refusal('"security.protocol=tls"'), /must be one of plaintext, ssl/)
  assert.match(
    refusal('"ssl.ca.location=/ca.pem"'),
    /"security\.protocol" is not given, and there are properties of TLS: set it to ssl/,
  )
  assert.match(refusal('"sasl.username=u;sasl.password=hunter2"'), /set it to sasl_ssl/)
  assert.match(
    refusal('"security.protocol=plaintext;ssl.key.location=k"'),
    /is plaintext, and there are properties of TLS/,
  )
  assert.match(refusal('"security.protocol=sasl_ssl"'), /"sasl\.username" is missing/)
  assert.match(refusal('"ssl.engine.id=x"'), /not to be had with this driver/)
  assert.match(refusal('"acks"'), /a part without a name/)
  assert.match(refusal('"acks="'), /has no value/)
})

test('readProtoCfg() names everything that is wrong in the example that the documents print', () => {
  const text = `"security.protocol=ssl;/ca/ca-client-cert;ssl.certificate.location=/c/client1_cert.pem;ssl.key.location=/k/client1_private_key.pem;ssl.key.password=test1234;ssl.key. password=abcdefgh;
ssl.cipher.suites=ECDHE-RSA-AES256-GCM-SHA384; debug=broker,security"`
  const words = refusal(text)
  assert.match(words, /a part without a name before it/)
  assert.match(words, /"proto-cfg\.ssl\.key\. password" is unknown, did you mean "ssl\.key\.password"/)
  assert.ok(!words.includes('test1234') && !words.includes('abcdefgh'))
})

test('C13: no value of a property is told in an error', () => {
  for (const name of PROPERTIES.keys()) {
    for (const text of [`"${name}=hunter2;nonsense=hunter2"`, `"${name}=hunter2;${name}=hunter2"`]) {
      try {
        read(text)
      } catch (error) {
        assert.ok(error instanceof BackhaulError && !error.message.includes('hunter2'), String(error))
      }
    }
  }
})

test('a later string wins over an earlier one', () => {
  assert.deepEqual({ ...read('"acks=1;client.id=a"', '"acks=all"').options }, { acks: 'all', clientId: 'a' })
})

test('options() takes properties, and sends security to its own place', () => {
  const of = (url: string, text: string) => kafka.options(parseAddress(url), { 'proto-cfg': text })
  const options = of(
    'kafkas://a',
    '"security.protocol=ssl;acks=-1;message.timeout.ms=5000;bootstrap.servers=b:1,c;linger.ms=5"',
  )
  assert.equal(options.acks, 'all')
  assert.equal(options.publishTimeoutMs, 5000)
  assert.deepEqual(options.hosts, [
    { host: 'b', port: 1 },
    { host: 'c', port: 9093 },
  ])
  assert.match(options.notes.join(), /"linger\.ms" only tunes/)
  assert.throws(() => of('kafka://a', '"security.protocol=ssl"'), /use kafkas:\/\//)
  assert.throws(
    () => of('kafkas://a', '"security.protocol=ssl;ssl.ca.location=x"'),
    /set tls\.ca, give that in its own place/,
  )
  assert.throws(() => of('kafka://a', '"acks=3"'), { code: 'INVALID_OPTIONS' })
})

test('options() refuses what contradicts itself, and unknown names', () => {
  const of = (config: Readonly<Record<string, unknown>>) => kafka.options(parseAddress('kafka://a'), config)
  assert.throws(() => of({ acks: '1', idempotence: true }), /needs acks: all/)
  assert.throws(() => of({ compresion: 'lz4' }), /did you mean "compression"/)
  assert.throws(() => of({ heartbeatIntervalMs: 9000, sessionTimeoutMs: 9000 }), /not shorter/)
  assert.throws(() => kafka.options(parseAddress('kafka://a/topic'), {}), { code: 'INVALID_ADDRESS' })
  assert.equal(of({ acks: '1' }).idempotence, false)
  assert.equal(of({}).idempotence, true)
})
