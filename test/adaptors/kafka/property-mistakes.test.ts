import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import type { ConnectOptions } from '../../../src/client/index.ts'
import { resolveTarget } from '../../../src/client/index.ts'
import type { ErrorCode } from '../../../src/contract/index.ts'
import { BackhaulError } from '../../../src/contract/index.ts'

const SECRET = 'hunter2-property'

/** A mistake in properties of librdkafka, and what is said about it. It is found before anybody is dialled. */
interface Mistake {
  readonly properties: string
  /** @default kafkas://broker.example */
  readonly url?: string
  readonly options?: ConnectOptions
  /** @default INVALID_OPTIONS */
  readonly code?: ErrorCode
  readonly says: RegExp
}

/** The example of the reference document, as it is printed. */
const AS_PRINTED =
  '"security.protocol=ssl;<path to your ca>/ca-client-cert;ssl.certificate.location=<path to your certificate >/client1_cert.pem;ssl.key.location=<path to your private key>/client1_private_key.pem;ssl.key.password=test1234;ssl.key. password=abcdefgh;\nssl.cipher.suites=ECDHE-RSA-AES256-GCM-SHA384; debug=broker,security"'

const TLS = 'security.protocol=ssl'

const MISTAKES: Readonly<Record<string, Mistake>> = {
  'the example of the reference document, a name missing': {
    properties: AS_PRINTED,
    says: /a part without a name before it, write name=value \(part 2\)/,
  },
  'the example of the reference document, a blank in a name': {
    properties: AS_PRINTED,
    says: /"proto-cfg\.ssl\.key\. password" is unknown, did you mean "ssl\.key\.password"\?/,
  },
  'the example of the reference document with that mended, and the password doubled': {
    properties: AS_PRINTED.replace('<path to your ca>', 'ssl.ca.location=').replace(
      'key. password',
      'key.password',
    ),
    says: /"proto-cfg\.ssl\.key\.password" is given twice, give it once/,
  },
  'security.protocol mistyped': {
    properties: 'security.protcol=ssl',
    says: /did you mean "security\.protocol"\?/,
  },
  'ssl.ca.location mistyped': {
    properties: `${TLS};ssl.ca.locaton=ca.pem`,
    says: /did you mean "ssl\.ca\.location"\?/,
  },
  'a property that nobody knows': {
    properties: 'no.such.thing.at.all.here=1',
    says: /it is no property of librdkafka/,
  },
  'a property without a value': {
    properties: `${TLS};ssl.ca.location=`,
    says: /"proto-cfg\.ssl\.ca\.location" has no value, give it one or leave it out/,
  },
  'a quote in the middle': {
    properties: `"${TLS}";"ssl.ca.location=ca.pem"`,
    says: /has a quote within it: put one before the first name/,
  },
  'more than fits': {
    properties: `client.id=${'x'.repeat(1100)}`,
    says: /longer than 1023 characters, use a configuration of our own form/,
  },
  'a protocol that there is not': {
    properties: 'security.protocol=tls',
    says: /"security\.protocol" must be one of plaintext, ssl, sasl_plaintext, sasl_ssl/,
  },
  'TLS settings without the protocol': {
    properties: 'ssl.ca.location=ca.pem',
    says: /"security\.protocol" is not given, and there are properties of TLS: set it to ssl/,
  },
  'TLS settings with the plaintext protocol': {
    properties: 'security.protocol=plaintext;ssl.ca.location=ca.pem',
    says: /"security\.protocol" is plaintext, and there are properties of TLS: set it to ssl/,
  },
  'TLS settings with a password in plaintext': {
    properties: `security.protocol=sasl_plaintext;sasl.username=ann;sasl.password=${SECRET};ssl.ca.location=ca.pem`,
    says: /there are properties of TLS: set it to sasl_ssl/,
  },
  'a user without SASL': {
    properties: `${TLS};sasl.username=ann;sasl.password=${SECRET}`,
    says: /is ssl, and there is a user or password: set it to sasl_ssl/,
  },
  'a mechanism without SASL': {
    properties: `${TLS};sasl.mechanism=PLAIN`,
    says: /there is a mechanism of SASL: set it to sasl_ssl/,
  },
  'SASL without a user': {
    properties: 'security.protocol=sasl_ssl',
    says: /"sasl\.username" is missing: security\.protocol is sasl_ssl/,
  },
  'a mechanism that there is not': {
    properties: `security.protocol=sasl_ssl;sasl.mechanism=SCRAM-SHA-1;sasl.username=ann;sasl.password=${SECRET}`,
    says: /sasl/,
  },
  'a password in plaintext to another machine': {
    url: 'kafka://broker.example',
    properties: `security.protocol=sasl_plaintext;sasl.username=ann;sasl.password=${SECRET}`,
    code: 'PLAINTEXT_CREDENTIALS',
    says: /use kafkas:\/\/, or say allowPlaintextCredentials: true/,
  },
  'verification switched by another word': {
    properties: `${TLS};enable.ssl.certificate.verification=no`,
    says: /"enable\.ssl\.certificate\.verification" must be true or false/,
  },
  'the check of host names switched by another word': {
    properties: `${TLS};ssl.endpoint.identification.algorithm=off`,
    says: /must be https or none/,
  },
  'TLS at a plaintext address': {
    url: 'kafka://broker.example',
    properties: TLS,
    says: /"security\.protocol" and the address contradict each other, use kafkas:\/\//,
  },
  'plaintext at an address with TLS': {
    properties: 'security.protocol=plaintext',
    says: /contradict each other, use kafka:\/\//,
  },
  'a certificate without its key': {
    properties: `${TLS};ssl.certificate.location=client.pem`,
    says: /"cert" is given without its private key, add "key"/,
  },
  'a key without its certificate': {
    properties: `${TLS};ssl.key.location=client.key`,
    says: /"key" is given without its certificate, add "cert"/,
  },
  'a bundle beside a pair': {
    properties: `${TLS};ssl.keystore.location=a.p12;ssl.key.location=a.key;ssl.certificate.location=a.pem`,
    says: /"pfx" stands beside "cert" or "key", give the bundle or the pair/,
  },
  'a passphrase of nothing': {
    properties: `${TLS};ssl.key.password=${SECRET}`,
    says: /there is a passphrase and nothing that it opens/,
  },
  'a curve that there is not': {
    properties: `${TLS};ssl.curves.list=P-999`,
    says: /curves/,
  },
  'a cipher suite that there is not': {
    properties: `${TLS};ssl.cipher.suites=NO-SUCH-SUITE`,
    says: /ciphers/,
  },
  'a CA in two places': {
    properties: `${TLS};ssl.ca.location=ca.pem`,
    options: { tls: { ca: 'other.pem' } },
    says: /"tls\.ca" is given twice, in its own place and as a property, keep one of them/,
  },
  'a user in two places': {
    properties: `security.protocol=sasl_ssl;sasl.username=ann;sasl.password=${SECRET}`,
    options: { auth: { user: 'bob', password: SECRET } },
    says: /"auth\.user" is given twice/,
  },
  'acks that there are not': { properties: 'acks=2', says: /acks/ },
  'a compression that there is not': { properties: 'compression.codec=zip', says: /compression/ },
  'a partitioner that there is not': { properties: 'partitioner=by_hand', says: /partitioner/ },
  'idempotence with one acknowledgement': {
    properties: 'acks=1;enable.idempotence=true',
    says: /"idempotence" needs acks: all/,
  },
  'two names of one property that contradict each other': {
    properties: 'acks=1;request.required.acks=all',
    says: /contradicts another name of the same property, give one of them/,
  },
  'heartbeats that come too late': {
    properties: 'session.timeout.ms=6000;heartbeat.interval.ms=6000',
    says: /"heartbeatIntervalMs" is not shorter than "sessionTimeoutMs"/,
  },
  'a start that there is not': { properties: 'auto.offset.reset=error', says: /must be earliest or latest/ },
  'a callback as text': { properties: 'dr_cb=report', says: /cannot be given as text, leave it out/ },
  'a transaction': { properties: 'transactional.id=me', says: /cannot be given as text, leave it out/ },
}

for (const driver of ['javascript', 'librdkafka'] as const) {
  describe(`mistakes in properties with the driver ${driver}`, () => {
    for (const [name, mistake] of Object.entries(MISTAKES)) {
      test(name, async () => {
        const { url = 'kafkas://broker.example', code = 'INVALID_OPTIONS', says, properties } = mistake
        const options = { ...mistake.options, options: { driver, 'proto-cfg': properties } }
        await assert.rejects(resolveTarget(url, options), (error) => {
          assert.ok(error instanceof BackhaulError, String(error))
          assert.equal(error.code, code, error.message)
          assert.match(error.message, says)
          assert.match(error.message, /^Cannot /)
          const told = JSON.stringify([error.message, error.problems])
          for (const secret of [SECRET, 'test1234', 'abcdefgh']) assert.ok(!told.includes(secret), told)
          return true
        })
      })
    }
  })
}

describe('properties', () => {
  const notesOf = async (driver: string, properties: string) =>
    (await resolveTarget('kafka://broker.example', { options: { driver, 'proto-cfg': properties } })).notes

  test('one that only tunes librdkafka has no effect with the other driver, which is noted', async () => {
    const properties = '"linger.ms=5;enable.auto.commit=true"'
    assert.deepEqual(await notesOf('javascript', properties), [
      '"linger.ms" only tunes librdkafka: it has no effect with this driver',
      '"enable.auto.commit" has no effect: Backhaul does this itself',
    ])
    assert.deepEqual(await notesOf('librdkafka', properties), [
      '"enable.auto.commit" has no effect: Backhaul does this itself',
    ])
  })

  test('one that only librdkafka has is refused by the other driver, which names it', async () => {
    const properties = '"client.rack=a"'
    await assert.rejects(
      notesOf('javascript', properties),
      /is not to be had with this driver.* say driver: librdkafka/,
    )
    assert.deepEqual(await notesOf('librdkafka', properties), [])
  })

  test('those of security become the tls and auth blocks', async () => {
    const { options, secure } = await resolveTarget('kafkas://broker.example', {
      options: {
        'proto-cfg': '"security.protocol=sasl_ssl;ssl.ca.location=ca.pem;sasl.mechanism=SCRAM-SHA-512"',
        'producer-proto-cfg': `"sasl.username=ann;sasl.password=${SECRET};acks=1"`,
      },
    })
    assert.ok(secure)
    assert.equal(options.tls?.ca, 'ca.pem')
    assert.equal(options.auth?.user, 'ann')
    assert.equal(options.auth?.password, SECRET)
  })
})
