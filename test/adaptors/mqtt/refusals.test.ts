import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { after, before, suite, test } from 'node:test'
import { createServer as createTlsServer } from 'node:tls'

import type { ErrorCode, TlsSettings } from '../../../src/contract/index.ts'
import { BackhaulError } from '../../../src/contract/index.ts'
import type { TestBroker } from '../../brokers/index.ts'
import { freePorts, startEmbedded, startMosquitto, without } from '../../brokers/index.ts'
import { startProxy } from '../../fault/proxy.ts'
import type { TestPki } from '../../pki.ts'
import { createTestPki } from '../../pki.ts'
import type { DialOptions } from './support.ts'
import { dial, tlsFrom } from './support.ts'

/** Dials, expects a refusal, and checks that its text keeps the law of messages. */
async function refused(url: string, options: DialOptions, code: ErrorCode): Promise<BackhaulError> {
  const link = await dial(url, options).catch((error: unknown) => error)
  if (!(link instanceof BackhaulError)) assert.fail(`dialled, or failed otherwise: ${String(link)}`)
  assert.equal(link.code, code, link.message)
  assert.match(link.message, /^Cannot [^:]+.*: .+, .+[^.]$/s)
  return link
}

const BROKERS = [
  { name: 'Mosquitto', skip: without('mosquitto'), start: startMosquitto },
  { name: 'the embedded broker', skip: false, start: startEmbedded },
] as const

for (const { name, skip, start } of BROKERS) {
  suite(`dial() against ${name}`, { skip }, () => {
    let pki: TestPki
    let broker: TestBroker
    before(async () => {
      pki = await createTestPki()
      broker = await start({
        listeners: ['plain', 'tls', 'mutual', 'ws', 'wss'],
        pki,
        users: { anna: 'right' },
      })
    })
    after(async () => {
      await broker.stop()
      await pki.close()
    })

    test('rejects with BAD_CREDENTIALS or NOT_AUTHORIZED for a wrong password, an unknown user and none (C10)', async () => {
      for (const version of ['auto', '3.1.1']) {
        for (const auth of [
          { user: 'anna', password: 'wrong' },
          { user: 'bert', password: 'right' },
        ]) {
          const tries = { options: { version }, auth }
          const error = await dial(broker.url('plain'), tries).catch((error: unknown) => error)
          assert.ok(error instanceof BackhaulError)
          assert.ok(['BAD_CREDENTIALS', 'NOT_AUTHORIZED'].includes(error.code), error.message)
          assert.equal(error.scope, 'link')
          assert.ok(!error.message.includes('wrong'))
        }
      }
      const link = await dial(broker.url('plain'), { auth: { user: 'anna', password: 'right' } })
      await link.close()
    })

    test('rejects with TLS_REQUIRED when a TLS port is dialled in plaintext', async () => {
      const port = broker.port('tls')
      await refused(`mqtt://127.0.0.1:${port}`, {}, 'TLS_REQUIRED')
      await refused(`mqtt://127.0.0.1:${port}`, { options: { version: '3.1.1' } }, 'TLS_REQUIRED')
      await refused(`ws://127.0.0.1:${broker.port('wss')}`, {}, 'TLS_REQUIRED')
    })

    test('rejects with TLS_NOT_SPOKEN when a plaintext port is dialled with TLS', async () => {
      const tls = tlsFrom(pki.ca)
      await refused(`mqtts://127.0.0.1:${broker.port('plain')}`, { tls }, 'TLS_NOT_SPOKEN')
      await refused(`wss://127.0.0.1:${broker.port('ws')}`, { tls }, 'TLS_NOT_SPOKEN')
    })

    for (const maxVersion of ['TLSv1.3', 'TLSv1.2'] as const) {
      test(`tells what is wrong with either certificate, ${maxVersion}`, async () => {
        const { url } = { url: broker.url('mutual') }
        const own = await pki.client('edge-1')
        const stranger = await pki.foreign('client')
        const expired = await pki.expired('client')
        const cases: [TlsSettings, ErrorCode][] = [
          [tlsFrom(pki.ca, undefined, { maxVersion }), 'CLIENT_CERTIFICATE_REQUIRED'],
          [tlsFrom(pki.ca, stranger, { maxVersion }), 'CLIENT_CERTIFICATE_REFUSED'],
          [tlsFrom(pki.ca, expired, { maxVersion }), 'CLIENT_CERTIFICATE_REFUSED'],
          [tlsFrom(undefined, own, { maxVersion }), 'SERVER_UNTRUSTED'],
          [tlsFrom(stranger.ca, own, { maxVersion }), 'SERVER_UNTRUSTED'],
          [tlsFrom(pki.ca, own, { maxVersion, serverName: 'other.example' }), 'SERVER_NAME_MISMATCH'],
        ]
        for (const [tls, code] of cases) await refused(url, { tls }, code)
      })
    }

    test('rejects with UNREACHABLE when the port is closed, and NAME_NOT_FOUND for an unknown name', async () => {
      const [port = 0] = await freePorts(1)
      await refused(`mqtt://127.0.0.1:${port}`, {}, 'UNREACHABLE')
      await refused(`mqtt://localhost:${port}`, {}, 'UNREACHABLE')
      await refused('mqtt://no-such-host.invalid', {}, 'NAME_NOT_FOUND')
    })

    test('tries the next host when one is not there, and no other after a refusal', async () => {
      const [port = 0] = await freePorts(1)
      const both = `mqtt://127.0.0.1:${port},127.0.0.1:${broker.port('plain')}`
      const link = await dial(both, { auth: { user: 'anna', password: 'right' } })
      assert.equal(link.peer.address, `127.0.0.1:${broker.port('plain')}`)
      await link.close()
    })

    test('rejects with UNREACHABLE when a proxy hangs up, without blaming TLS', async () => {
      await using proxy = await startProxy({ host: '127.0.0.1', port: broker.port('tls') })
      proxy.limit(1)
      const error = await refused(`mqtts://127.0.0.1:${proxy.port}`, { tls: tlsFrom(pki.ca) }, 'UNREACHABLE')
      assert.equal(error.retryable, true)
    })

    test('rejects with TIMEOUT when nothing is answered, and leaves no connection', async () => {
      await using proxy = await startProxy({ host: '127.0.0.1', port: broker.port('plain') })
      proxy.freeze(true)
      await refused(`mqtt://127.0.0.1:${proxy.port}`, { options: { connectTimeoutMs: 200 } }, 'TIMEOUT')
      await refused(
        `mqtts://127.0.0.1:${proxy.port}`,
        { options: { connectTimeoutMs: 200 }, tls: tlsFrom(pki.ca) },
        'TIMEOUT',
      )
    })
  })
}

test('dial() rejects with ABORTED when the signal aborts at any step, and leaves no socket', async () => {
  let sockets = 0
  const server = createServer((socket) => {
    sockets += 1
    socket.on('error', () => undefined)
    socket.on('close', () => {
      sockets -= 1
      server.emit('gone')
    })
    server.emit('came')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  for (const scheme of ['mqtt', 'mqtts', 'ws', 'wss']) {
    const controller = new AbortController()
    const secure = scheme.endsWith('s') && scheme !== 'ws'
    const options = { signal: controller.signal, ...(secure && { tls: tlsFrom(undefined) }) }
    const came = once(server, 'came')
    const dialled = refused(`${scheme}://127.0.0.1:${port}`, options, 'ABORTED')
    await came
    const gone = once(server, 'gone')
    controller.abort()
    await dialled
    await gone
    assert.equal(sockets, 0)
  }
  const before = AbortSignal.abort()
  await refused(`mqtt://127.0.0.1:${port}`, { signal: before }, 'ABORTED')
  server.close()
})

test('dial() tells TLS versions and cipher suites that exclude each other', async () => {
  await using pki = await createTestPki()
  const server = createTlsServer({
    cert: await readFile(pki.server.cert),
    key: await readFile(pki.server.key),
    minVersion: 'TLSv1.3',
  })
  server.on('tlsClientError', () => undefined)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const url = `mqtts://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`
  await refused(url, { tls: tlsFrom(pki.ca, undefined, { maxVersion: 'TLSv1.2' }) }, 'TLS_FAILED')
  await refused(url, { tls: tlsFrom(pki.ca, undefined, { ciphers: 'NO-SUCH-CIPHER' }) }, 'INVALID_OPTIONS')
  await refused(url, { tls: tlsFrom(pki.ca, undefined, { curves: 'no-such-curve' }) }, 'INVALID_OPTIONS')
  await refused(url, { tls: tlsFrom(pki.ca, undefined, { cert: 'no PEM', key: 'no PEM' }) }, 'KEY_INVALID')
  server.close()
})

test('dial() tells when the server certificate has ended, is not valid yet, or is for another host', async () => {
  await using pki = await createTestPki()
  const cases = [
    [await pki.expired('server'), 'SERVER_CERTIFICATE_EXPIRED'],
    [await pki.notYetValid('server'), 'SERVER_CERTIFICATE_EXPIRED'],
    [await pki.wrongHost(), 'SERVER_NAME_MISMATCH'],
  ] as const
  for (const [pair, code] of cases) {
    await using broker = await startEmbedded({ listeners: ['tls'], pki, server: pair })
    await refused(broker.url('tls'), { tls: tlsFrom(pki.ca) }, code)
    if (code === 'SERVER_NAME_MISMATCH') {
      const named = tlsFrom(pki.ca, undefined, { serverName: 'elsewhere.example' })
      const link = await dial(broker.url('tls'), { tls: named })
      await link.close()
    }
  }
})
