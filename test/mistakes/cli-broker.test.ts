import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'

import { startMosquitto, without } from '../brokers/index.ts'
import type { ListenerKind, TestBroker } from '../brokers/index.ts'
import { cli } from '../cli/fake-io.ts'
import { createTestPki } from '../pki.ts'
import type { PairFiles, TestPki } from '../pki.ts'

const skip = without('mosquitto')

interface Site {
  readonly pki: TestPki
  readonly url: (kind: ListenerKind) => string
  readonly mutual: (pair: PairFiles, key?: string) => string[]
}

interface Mistake {
  readonly name: string
  readonly args: (site: Site) => Promise<string[]> | string[]
  readonly code: number
  readonly says: RegExp
}

const TO = ['allowed/1', '--message', 'x']

const MISTAKES: readonly Mistake[] = [
  {
    name: 'a wrong password',
    args: async ({ pki, url }) => {
      const file = await pki.file('wrong-password', 'wrong\n')
      return [url('plain'), ...TO, '--user', 'ann', '--password-file', file]
    },
    code: 77,
    says: /^error (?:BAD_CREDENTIALS|NOT_AUTHORIZED): /m,
  },
  {
    name: 'a topic that the access list forbids',
    args: async ({ pki, url, mutual }) => [
      url('mutual'),
      'forbidden',
      '--message',
      'x',
      ...mutual(await pki.client('edge')),
    ],
    code: 77,
    says: /^error NOT_AUTHORIZED: .*"?forbidden/m,
  },
  {
    name: 'a plaintext address at a TLS port',
    args: ({ url }) => [url('tls').replace('mqtts:', 'mqtt:'), ...TO],
    code: 76,
    says: /^error TLS_REQUIRED: /m,
  },
  {
    name: 'a TLS address at a plaintext port',
    args: ({ pki, url }) => [url('plain').replace('mqtt:', 'mqtts:'), ...TO, '--ca', pki.ca],
    code: 76,
    says: /^error TLS_NOT_SPOKEN: /m,
  },
  {
    name: 'a broker whose CA is not known',
    args: ({ url }) => [url('tls'), ...TO],
    code: 76,
    says: /^error SERVER_UNTRUSTED: /m,
  },
  {
    name: 'a broker with another name in its certificate',
    args: ({ pki, url }) => [url('tls'), ...TO, '--ca', pki.ca, '--server-name', 'elsewhere.example'],
    code: 76,
    says: /^error SERVER_NAME_MISMATCH: .*localhost/m,
  },
  {
    name: 'no client certificate where one is demanded',
    args: ({ pki, url }) => [url('mutual'), ...TO, '--ca', pki.ca],
    code: 77,
    says: /^error CLIENT_CERTIFICATE_REQUIRED: /m,
  },
  {
    name: 'a client certificate of another CA',
    args: async ({ pki, url, mutual }) => [url('mutual'), ...TO, ...mutual(await pki.foreign('client'))],
    code: 77,
    says: /^error CLIENT_CERTIFICATE_REFUSED: /m,
  },
  {
    name: 'a client certificate that has ended',
    args: async ({ pki, url, mutual }) => [url('mutual'), ...TO, ...mutual(await pki.expired('client'))],
    code: 77,
    says: /^error CERTIFICATE_EXPIRED: /m,
  },
  {
    name: 'a client certificate that is not valid yet',
    args: async ({ pki, url, mutual }) => [url('mutual'), ...TO, ...mutual(await pki.notYetValid('client'))],
    code: 77,
    says: /^error CERTIFICATE_NOT_YET_VALID: /m,
  },
  {
    name: 'a key that does not fit the certificate',
    args: async ({ pki, url, mutual }) => {
      const other = await pki.client('other')
      return [url('mutual'), ...TO, ...mutual(await pki.client('edge'), other.key)]
    },
    code: 78,
    says: /^error KEY_MISMATCH: /m,
  },
  {
    name: 'an encrypted key without a passphrase',
    args: async ({ pki, url, mutual }) => {
      const edge = await pki.client('edge')
      return [url('mutual'), ...TO, ...mutual(edge, await pki.encryptedKey(edge, 'right'))]
    },
    code: 78,
    says: /^error PASSPHRASE_MISSING: /m,
  },
  {
    name: 'a wrong passphrase',
    args: async ({ pki, url, mutual }) => {
      const edge = await pki.client('edge')
      const file = await pki.file('wrong-passphrase', 'hunter2\n')
      const key = await pki.encryptedKey(edge, 'right')
      return [url('mutual'), ...TO, ...mutual(edge, key), '--passphrase-file', file]
    },
    code: 78,
    says: /^error PASSPHRASE_WRONG: /m,
  },
]

suite('mistakes that only a broker shows', { skip }, () => {
  let broker: TestBroker
  let pki: TestPki

  before(async () => {
    pki = await createTestPki()
    broker = await startMosquitto({
      listeners: ['plain', 'tls', 'mutual'],
      pki,
      users: { ann: 'right' },
      acl: { edge: ['readwrite allowed/#'], ann: ['readwrite allowed/#'] },
    })
  })

  after(async () => {
    await broker?.stop()
    await pki?.close()
  })

  for (const { name, args, code, says } of MISTAKES) {
    test(`backhaul pub tells of ${name}`, async () => {
      const mutual = (pair: PairFiles, key = pair.key) => ['--ca', pki.ca, '--cert', pair.cert, '--key', key]
      const words = await args({ pki, url: (kind) => broker.url(kind), mutual })
      const ended = await cli('pub', ...words, '--deadline', '3s', '-q')
      assert.match(ended.err, says)
      assert.equal(ended.code, code, ended.err)
      assert.equal(ended.out, '')
      assert.doesNotMatch(ended.err, /hunter2/)
    })
  }
})
