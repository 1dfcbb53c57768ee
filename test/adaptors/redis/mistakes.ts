import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { test } from 'node:test'

import { BackhaulError } from '../../../src/contract/index.ts'
import type { ErrorCode } from '../../../src/contract/index.ts'
import type { RedisServer } from '../../brokers/index.ts'
import { freePorts } from '../../brokers/index.ts'
import type { DialOptions } from './support.ts'
import { ANN, dial, message, PASSWORD, publish, subscribe, tlsFrom, words } from './support.ts'

const SECRET = 'hunter2-wrong'

/** One mistake in dialling, and what is said about it. */
interface Mistake {
  /** The address, by the server. */
  readonly url: (server: RedisServer) => string
  readonly with?: (server: RedisServer) => Promise<DialOptions> | DialOptions
  readonly code: ErrorCode
  readonly says: RegExp
}

const plain = (server: RedisServer) => server.url('plain')
const tls = (server: RedisServer) => server.url('tls')
const edge = async ({ pki }: RedisServer) => tlsFrom(pki.ca, await pki.client('edge-1'))

const MISTAKES: Readonly<Record<string, Mistake>> = {
  'a host that is not there': {
    url: () => 'redis://no-such-host.invalid',
    code: 'NAME_NOT_FOUND',
    says: /check/,
  },
  'no client certificate': {
    url: tls,
    with: ({ pki }) => ({ tls: tlsFrom(pki.ca) }),
    code: 'CLIENT_CERTIFICATE_REQUIRED',
    says: /demands a client certificate, give tls\.cert and tls\.key/,
  },
  'no client certificate, TLS 1.2': {
    url: tls,
    with: ({ pki }) => ({ tls: tlsFrom(pki.ca, undefined, { maxVersion: 'TLSv1.2' }) }),
    code: 'CLIENT_CERTIFICATE_REQUIRED',
    says: /demands a client certificate/,
  },
  'a client certificate of another CA': {
    url: tls,
    with: async ({ pki }) => ({ tls: tlsFrom(pki.ca, await pki.foreign('client')) }),
    code: 'CLIENT_CERTIFICATE_REFUSED',
    says: /does not accept our certificate/,
  },
  'a client certificate that has ended': {
    url: tls,
    with: async ({ pki }) => ({ tls: tlsFrom(pki.ca, await pki.expired('client')) }),
    code: 'CLIENT_CERTIFICATE_REFUSED',
    says: /our certificate has ended, renew it/,
  },
  'the wrong CA': {
    url: tls,
    with: async ({ pki }) => ({ tls: tlsFrom((await pki.foreign('client')).ca) }),
    code: 'SERVER_UNTRUSTED',
    says: /give its CA/,
  },
  'the wrong server name': {
    url: tls,
    with: ({ pki }) => ({ tls: tlsFrom(pki.ca, undefined, { serverName: 'other.example' }) }),
    code: 'SERVER_NAME_MISMATCH',
    says: /DNS:localhost.*tls\.serverName/,
  },
  'no cipher suite in common': {
    url: tls,
    with: ({ pki }) => ({
      tls: tlsFrom(pki.ca, undefined, { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-RSA-AES128-GCM-SHA256' }),
    }),
    code: 'TLS_FAILED',
    says: /compare tls\.ciphers and tls\.curves/,
  },
  'plaintext to the TLS port': {
    url: (server) => tls(server).replace('rediss', 'redis'),
    with: () => ({ auth: { user: 'ann', password: SECRET } }),
    code: 'TLS_REQUIRED',
    says: /the port speaks TLS/,
  },
  'TLS to the plaintext port': {
    url: (server) => plain(server).replace('redis', 'rediss'),
    with: async (server) => ({ tls: await edge(server), auth: { user: 'ann', password: SECRET } }),
    code: 'TLS_NOT_SPOKEN',
    says: /does not speak TLS/,
  },
  'rediss:// without TLS settings': {
    url: tls,
    code: 'INVALID_OPTIONS',
    says: /contradict each other, give TLS settings/,
  },
  'no password where one is demanded': {
    url: plain,
    code: 'BAD_CREDENTIALS',
    says: /demands a password, give auth with a user \(default where only requirepass is set\)/,
  },
  'a wrong password': {
    url: plain,
    with: () => ({ auth: { user: 'ann', password: SECRET } }),
    code: 'BAD_CREDENTIALS',
    says: /refused the user or password/,
  },
  'a wrong password of the default user': {
    url: plain,
    with: () => ({ auth: { user: '', password: SECRET } }),
    code: 'BAD_CREDENTIALS',
    says: /refused the user or password/,
  },
  'an unknown user, over TLS': {
    url: tls,
    with: async (server) => ({ tls: await edge(server), auth: { user: 'bob', password: SECRET } }),
    code: 'BAD_CREDENTIALS',
    says: /refused the user or password/,
  },
  'a user that is off': {
    url: plain,
    with: () => ({ auth: { user: 'gone', password: PASSWORD } }),
    code: 'BAD_CREDENTIALS',
    says: /the user is off/,
  },
  'a database that is not there': {
    url: (server) => `${plain(server)}/99`,
    with: () => ({ auth: ANN }),
    code: 'REFUSED',
    says: /no database of this number/,
  },
}

/** Checks an error, and that no secret is in it or below it. */
function checkError(error: unknown, code: ErrorCode, says: RegExp): true {
  assert.ok(error instanceof BackhaulError, String(error))
  assert.equal(error.code, code, error.message)
  assert.match(error.message, says)
  assert.match(error.message, /^Cannot /)
  for (let one: unknown = error; one instanceof Error; one = one.cause) {
    const told = `${one.message} ${one.stack ?? ''} ${one instanceof BackhaulError ? one.brokerReason : ''}`
    assert.ok(!told.includes(SECRET) && !told.includes(PASSWORD), 'the password is told')
  }
  return true
}

/** Mistakes: each has its code and its fix, and tells no secret. */
export function mistakesTests(started: () => RedisServer): void {
  for (const [name, mistake] of Object.entries(MISTAKES)) {
    test(`dial() says what is wrong: ${name}`, async () => {
      const server = started()
      const options = (await mistake.with?.(server)) ?? {}
      await assert.rejects(dial(mistake.url(server), options), (error) =>
        checkError(error, mistake.code, mistake.says),
      )
    })
  }

  test('dial() says that nothing listens, and takes the next host of an address', async () => {
    const [port = 0] = await freePorts(1)
    const closed = `redis://127.0.0.1:${port}`
    await assert.rejects(dial(closed), (error) =>
      checkError(error, 'UNREACHABLE', /check that the broker runs/),
    )
    const link = await dial(`${closed},127.0.0.1:${started().port('plain')}`, { auth: ANN })
    assert.equal(link.peer.address, `127.0.0.1:${started().port('plain')}`)
    assert.match(link.peer.protocol, /^Redis 7\./)
    await link.close()
  })

  for (const [name, code, answer] of [
    ['a web server', 'PROTOCOL_ERROR', 'HTTP/1.1 400 Bad Request\r\n\r\n'],
    ['silence', 'TIMEOUT', undefined],
  ] as const) {
    test(`dial() says that ${name} is no Redis`, async () => {
      const server = createServer((socket) => {
        socket.on('error', () => undefined)
        socket.on('data', () => answer !== undefined && socket.end(answer))
      })
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
      const address = server.address()
      assert.ok(typeof address === 'object' && address !== null)
      const options = { connectTimeoutMs: 400 }
      const auth = { user: 'ann', password: SECRET }
      await assert.rejects(dial(`redis://127.0.0.1:${address.port}`, { options, auth }), (error) =>
        checkError(error, code, /check/),
      )
      server.close()
    })
  }

  test('dial() refuses a replica, and a link whose broker becomes one ends', async () => {
    const server = started()
    const link = await dial(plain(server), { auth: ANN })
    await server.cli('REPLICAOF', '127.0.0.1', '1')
    try {
      const says = /read-only replica, dial its primary/
      assert.deepEqual(words(await publish(link, [message('m.replica', 'x')])), ['failed'])
      const reason = await link.lost
      checkError(reason, 'REFUSED', says)
      assert.equal(reason.scope, 'link')
      await assert.rejects(dial(plain(server), { auth: ANN }), (error) => checkError(error, 'REFUSED', says))
    } finally {
      await server.cli('REPLICAOF', 'NO', 'ONE')
    }
  })

  test('publish() and subscribe() are refused by topic where the user has no right, or the key is no stream', async () => {
    const server = started()
    await server.cli('SET', 'n.text', 'x')
    const link = await dial(plain(server), { auth: { user: 'narrow', password: PASSWORD } })
    const batch = ['n.ok', 'm.forbidden', 'n.text', 'n.ok'].map((topic) => message(topic, 'x'))
    const outcomes = await publish(link, batch)
    assert.deepEqual(words(outcomes), [
      'delivered',
      'refused topic NOT_AUTHORIZED',
      'refused topic REFUSED',
      'delivered',
    ])
    const [, forbidden, text] = outcomes
    assert.ok(forbidden?.kind === 'refused' && text?.kind === 'refused')
    checkError(forbidden.error, 'NOT_AUTHORIZED', /"m\.forbidden".*ACL SETUSER/)
    checkError(text.error, 'REFUSED', /"n\.text".*something else than a stream/)
    for (const [topic, group, code, says] of [
      ['m.forbidden', 'g', 'NOT_AUTHORIZED', /ACL SETUSER/],
      ['n.text', 'g', 'REFUSED', /something else than a stream/],
      ['n.ok', undefined, 'NOT_AUTHORIZED', /ACL SETUSER/],
      ['n.ok', 'nobody-made-it', 'REFUSED', /XGROUP CREATE, or allow xgroup/],
    ] as const) {
      await assert.rejects(subscribe(link, [topic], group), (error) => checkError(error, code, says))
    }
    // a group that somebody else has made needs no right to make one
    await server.cli('XGROUP', 'CREATE', 'n.ok', 'made', '0')
    const reader = await subscribe(link, ['n.ok'], 'made')
    const first = await reader.next()
    assert.ok(first.done !== true)
    await link.close()
  })
}
