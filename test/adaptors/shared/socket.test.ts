import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer as createHttpServer } from 'node:http'
import { createServer } from 'node:net'
import type { Server } from 'node:net'
import { after, before, suite, test } from 'node:test'
import { createServer as createTlsServer } from 'node:tls'

import type { SocketRequest } from '../../../src/adaptors/shared/socket.ts'
import { hostAndPort, openSocket, speaksTls } from '../../../src/adaptors/shared/socket.ts'
import type { TestPki } from '../../pki.ts'
import { createTestPki } from '../../pki.ts'
import { tlsFrom } from '../mqtt/support.ts'

const NEVER = new AbortController().signal

async function listen(server: Server, host = '127.0.0.1'): Promise<number> {
  server.listen(0, host)
  await once(server, 'listening')
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}

function request(port: number, more: Partial<SocketRequest> = {}): SocketRequest {
  return { host: '127.0.0.1', port, tls: undefined, websocket: undefined, ...more }
}

suite('openSocket()', () => {
  let pki: TestPki
  let secure: Server
  let securePort = 0
  before(async () => {
    pki = await createTestPki()
    secure = createTlsServer(
      {
        cert: await readFile(pki.server.cert),
        key: await readFile(pki.server.key),
        ca: await readFile(pki.ca),
        requestCert: true,
        rejectUnauthorized: true,
      },
      (socket) => socket.end('hello'),
    )
    secure.on('tlsClientError', () => undefined)
    securePort = await listen(secure)
  })
  after(async () => {
    secure.close()
    await pki.close()
  })

  test('tells version, cipher suite and both subjects of the TLS session', async () => {
    const own = await pki.client('edge-1')
    const cases = [
      [{ maxVersion: 'TLSv1.3' }, 'TLSv1.3', /^TLS_(AES|CHACHA20)/],
      [
        { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256' },
        'TLSv1.2',
        /^TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256$/,
      ],
    ] as const
    for (const [more, version, cipher] of cases) {
      const tls = tlsFrom(pki.ca, own, { ...more, ownSubject: 'CN=edge-1' })
      const { stream, tls: facts } = await openSocket(request(securePort, { tls }), NEVER)
      assert.equal(facts?.version, version)
      assert.match(facts?.cipher ?? '', cipher)
      assert.deepEqual([facts?.peer, facts?.own, facts?.verified], ['CN=localhost', 'CN=edge-1', true])
      assert.equal(String((await once(stream, 'data'))[0]), 'hello')
      stream.destroy()
    }
  })

  test('takes an encrypted key, PKCS#12, an RSA key, and curves', async () => {
    const pair = await pki.client('edge-2')
    const rsa = await pki.rsa('edge-3')
    const encrypted = { ...pair, key: await pki.encryptedKey(pair, 'open sesame') }
    const pfx = await readFile(await pki.pkcs12(pair, 'open sesame'))
    const settings = [
      tlsFrom(pki.ca, encrypted, { passphrase: 'open sesame' }),
      tlsFrom(pki.ca, undefined, { pfx, passphrase: 'open sesame' }),
      tlsFrom(pki.ca, rsa),
      tlsFrom(pki.ca, pair, { curves: 'P-384:P-256' }),
    ]
    for (const tls of settings) {
      const { stream } = await openSocket(request(securePort, { tls }), NEVER)
      assert.equal(String((await once(stream, 'data'))[0]), 'hello')
      stream.destroy()
    }
    const wrong = tlsFrom(pki.ca, encrypted, { passphrase: 'guessed' })
    await assert.rejects(openSocket(request(securePort, { tls: wrong }), NEVER), { code: 'PASSPHRASE_WRONG' })
    const wrongPfx = tlsFrom(pki.ca, undefined, { pfx, passphrase: 'guessed' })
    await assert.rejects(openSocket(request(securePort, { tls: wrongPfx }), NEVER), {
      code: 'PASSPHRASE_WRONG',
    })
  })

  test('shows that verification is off, and only goes on without it where that was asked for', async () => {
    const foreign = await pki.foreign('client')
    const own = await pki.client('edge-1')
    const untrusted = tlsFrom(foreign.ca, own)
    await assert.rejects(openSocket(request(securePort, { tls: untrusted }), NEVER), {
      code: 'SERVER_UNTRUSTED',
    })
    const careless = { ...untrusted, insecureSkipVerify: true }
    const { stream, tls } = await openSocket(request(securePort, { tls: careless }), NEVER)
    assert.equal(tls?.verified, false)
    stream.destroy()
  })

  test('tries every address of a name', async () => {
    const server = createServer((socket) => socket.end())
    const port = await listen(server)
    const { stream } = await openSocket(request(port, { host: 'localhost' }), NEVER)
    stream.destroy()
    server.close()
  })

  test('sends path and headers of a WebSocket, and tells a web server that is none', async () => {
    const seen: unknown[] = []
    const server = createHttpServer((_request, response) => response.writeHead(200).end('a page'))
    server.on('upgrade', ({ url, headers }, socket) => {
      seen.push([url, headers['x-fleet'], headers['sec-websocket-protocol']])
      socket.end('HTTP/1.1 403 Forbidden\r\nconnection: close\r\n\r\n')
    })
    const port = await listen(server)
    const websocket = {
      path: '/mqtt?a=1',
      headers: { 'x-fleet': 'north' },
      protocol: 'mqtt',
      maxFrameBytes: 1000,
    }
    const refused = openSocket(request(port, { websocket }), NEVER)
    await assert.rejects(refused, { code: 'NOT_AUTHORIZED', brokerReason: 'HTTP 403' })
    assert.deepEqual(seen, [['/mqtt?a=1', 'north', 'mqtt']])
    server.removeAllListeners('upgrade')
    await assert.rejects(openSocket(request(port, { websocket }), NEVER), { code: 'PROTOCOL_ERROR' })
    server.closeAllConnections()
    server.close()
  })

  test('speaksTls() knows a TLS port from another one', async () => {
    const server = createServer((socket) => {
      socket.on('error', () => undefined)
      socket.destroy()
    })
    const port = await listen(server)
    assert.equal(await speaksTls('127.0.0.1', securePort, NEVER), true)
    assert.equal(await speaksTls('127.0.0.1', port, NEVER), false)
    server.close()
    await once(server, 'close')
    assert.equal(await speaksTls('127.0.0.1', port, NEVER), false)
  })
})

test('hostAndPort() writes IPv6 in brackets', () => {
  assert.equal(hostAndPort('::1', 1883), '[::1]:1883')
  assert.equal(hostAndPort('broker.example', 8883), 'broker.example:8883')
})
