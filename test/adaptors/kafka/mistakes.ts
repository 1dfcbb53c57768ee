import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { test } from 'node:test'

import { BackhaulError } from '../../../src/contract/index.ts'
import type { ErrorCode } from '../../../src/contract/index.ts'
import type { KafkaBroker, KafkaListener } from '../../brokers/index.ts'
import type { TestPki } from '../../pki.ts'
import type { DialOptions, KafkaDriver } from './support.ts'
import { dialAs, tlsFrom } from './support.ts'

const SECRET = 'hunter2-wrong'

/** One mistake in dialling, and what is said about it. */
interface Mistake {
  readonly scheme: 'kafka' | 'kafkas'
  readonly listener: KafkaListener
  readonly with: (pki: TestPki) => Promise<DialOptions> | DialOptions
  readonly code: ErrorCode
  readonly says: RegExp
  /** What the driver librdkafka says of what it cannot do, in place of that. */
  readonly native?: RegExp
}

const user = (password: string, sasl = 'PLAIN', name = 'ann') => ({
  auth: { user: name, password },
  options: { sasl },
})
const trusted = ({ ca }: TestPki) => ({ tls: tlsFrom(ca) })

const MISTAKES: Readonly<Record<string, Mistake>> = {
  'no client certificate': {
    scheme: 'kafkas',
    listener: 'mutual',
    with: trusted,
    code: 'CLIENT_CERTIFICATE_REQUIRED',
    says: /demands a client certificate, give tls\.cert and tls\.key/,
  },
  'no client certificate, TLS 1.2': {
    scheme: 'kafkas',
    listener: 'mutual',
    with: ({ ca }) => ({ tls: tlsFrom(ca, undefined, { maxVersion: 'TLSv1.2' }) }),
    code: 'CLIENT_CERTIFICATE_REQUIRED',
    says: /demands a client certificate/,
    native: /librdkafka with tls\.minVersion/,
  },
  'a client certificate of another CA': {
    scheme: 'kafkas',
    listener: 'mutual',
    with: async (pki) => ({ tls: tlsFrom(pki.ca, await pki.foreign('client')) }),
    code: 'CLIENT_CERTIFICATE_REFUSED',
    says: /does not accept our certificate/,
  },
  'a client certificate that has ended': {
    scheme: 'kafkas',
    listener: 'mutual',
    with: async (pki) => ({ tls: tlsFrom(pki.ca, await pki.expired('client')) }),
    code: 'CLIENT_CERTIFICATE_REFUSED',
    says: /does not accept our certificate/,
  },
  'the wrong CA': {
    scheme: 'kafkas',
    listener: 'tls',
    with: async (pki) => ({ tls: tlsFrom((await pki.foreign('client')).ca) }),
    code: 'SERVER_UNTRUSTED',
    says: /give its CA/,
  },
  'the wrong server name': {
    scheme: 'kafkas',
    listener: 'tls',
    with: ({ ca }) => ({ tls: tlsFrom(ca, undefined, { serverName: 'other.example' }) }),
    code: 'SERVER_NAME_MISMATCH',
    says: /DNS:localhost.*tls\.serverName/,
    native: /librdkafka with tls\.serverName/,
  },
  'no cipher suite in common': {
    scheme: 'kafkas',
    listener: 'tls',
    with: ({ ca }) => ({
      tls: tlsFrom(ca, undefined, { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-RSA-AES128-GCM-SHA256' }),
    }),
    code: 'TLS_FAILED',
    says: /compare tls\.ciphers and tls\.curves/,
    native: /librdkafka with tls\.minVersion/,
  },
  'plaintext to a TLS port': {
    scheme: 'kafka',
    listener: 'tls',
    with: () => ({}),
    code: 'TLS_REQUIRED',
    says: /the port speaks TLS/,
  },
  'plaintext to a port with client certificates': {
    scheme: 'kafka',
    listener: 'mutual',
    with: () => ({}),
    code: 'TLS_REQUIRED',
    says: /the port speaks TLS/,
  },
  'a password in plaintext to a TLS port': {
    scheme: 'kafka',
    listener: 'saslTls',
    with: () => user(SECRET),
    code: 'TLS_REQUIRED',
    says: /the port speaks TLS/,
  },
  'TLS to a plaintext port': {
    scheme: 'kafkas',
    listener: 'plain',
    with: trusted,
    code: 'TLS_NOT_SPOKEN',
    says: /does not speak TLS/,
  },
  'TLS to a port for passwords in plaintext': {
    scheme: 'kafkas',
    listener: 'saslPlain',
    with: (pki) => ({ ...trusted(pki), ...user(SECRET) }),
    code: 'TLS_NOT_SPOKEN',
    says: /does not speak TLS/,
  },
  'no password where one is demanded, over TLS': {
    scheme: 'kafkas',
    listener: 'saslTls',
    with: trusted,
    code: 'BAD_CREDENTIALS',
    says: /demands a user and password \(.*PLAIN.*\), give them/,
  },
  'no password where one is demanded, in plaintext': {
    scheme: 'kafka',
    listener: 'saslPlain',
    with: () => ({}),
    code: 'BAD_CREDENTIALS',
    says: /demands a user and password/,
  },
  'a password where none is taken': {
    scheme: 'kafka',
    listener: 'plain',
    with: () => user(SECRET),
    code: 'BAD_CREDENTIALS',
    says: /this listener takes no user and password/,
  },
  'a password and a certificate where only that is taken': {
    scheme: 'kafkas',
    listener: 'mutual',
    with: async (pki) => ({ tls: tlsFrom(pki.ca, await pki.client('edge')), ...user(SECRET) }),
    code: 'BAD_CREDENTIALS',
    says: /this listener takes no user and password/,
  },
  'a mechanism that is not offered': {
    scheme: 'kafkas',
    listener: 'saslTls',
    with: (pki) => ({ ...trusted(pki), ...user(SECRET, 'OAUTHBEARER') }),
    code: 'BAD_CREDENTIALS',
    says: /does not offer OAUTHBEARER, set sasl to one of .*SCRAM-SHA-512/,
  },
}

for (const mechanism of ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512']) {
  Object.assign(MISTAKES, {
    [`a wrong password with ${mechanism}`]: {
      scheme: 'kafkas',
      listener: 'saslTls',
      with: (pki) => ({ ...trusted(pki), ...user(SECRET, mechanism) }),
      code: 'BAD_CREDENTIALS',
      says: /refused the user or password/,
    } satisfies Mistake,
    [`an unknown user with ${mechanism}`]: {
      scheme: 'kafkas',
      listener: 'saslTls',
      with: (pki) => ({ ...trusted(pki), ...user(SECRET, mechanism, 'bob') }),
      code: 'BAD_CREDENTIALS',
      says: /refused the user or password/,
    } satisfies Mistake,
  })
}

/** Mistakes in dialling: each has its code and its fix, and tells no secret. */
export function mistakesTests(started: () => KafkaBroker, driver: KafkaDriver = 'javascript'): void {
  const dial = dialAs(driver)
  for (const [name, mistake] of Object.entries(MISTAKES)) {
    test(`dial() says what is wrong: ${name}`, async () => {
      const broker = started()
      const options = await mistake.with(broker.pki)
      const url = `${mistake.scheme}://127.0.0.1:${broker.port(mistake.listener)}`
      await assert.rejects(dial(url, options), (error) => {
        assert.ok(error instanceof BackhaulError, String(error))
        const native = driver === 'librdkafka' ? mistake.native : undefined
        assert.equal(error.code, native === undefined ? mistake.code : 'INVALID_OPTIONS', error.message)
        assert.match(error.message, native ?? mistake.says)
        assert.match(error.message, /^Cannot /)
        for (let one: unknown = error; one instanceof Error; one = one.cause) {
          assert.ok(!`${one.message} ${one.stack ?? ''}`.includes(SECRET), 'the password is told')
        }
        return true
      })
    })
  }

  test('dial() takes the next broker of an address when the first does not answer', async () => {
    const link = await dial(`kafka://127.0.0.1:1,127.0.0.1:${started().port('plain')}`)
    assert.equal(link.peer.address, `127.0.0.1:${started().port('plain')}`)
    await link.close()
  })

  for (const [name, code, answer] of [
    ['a web server', 'PROTOCOL_ERROR', 'HTTP/1.1 400 Bad Request\r\n\r\n'],
    ['silence', 'TIMEOUT', undefined],
  ] as const) {
    test(`dial() says that ${name} is no Kafka`, async () => {
      const server = createServer((socket) => {
        socket.on('error', () => undefined)
        socket.on('data', () => answer !== undefined && socket.end(answer))
      })
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
      const address = server.address()
      assert.ok(typeof address === 'object' && address !== null)
      const asked = dial(`kafka://127.0.0.1:${address.port}`, { options: { connectTimeoutMs: 400 } })
      await assert.rejects(asked, { name: 'BackhaulError', code })
      server.close()
    })
  }
}
