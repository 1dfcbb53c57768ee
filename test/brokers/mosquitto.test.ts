import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { test } from 'node:test'
import { promisify } from 'node:util'

import type { IClientOptions } from 'mqtt'
import { connectAsync } from 'mqtt'
import { WebSocket } from 'ws'

import { LISTENER_KINDS, startMosquitto, without } from './index.ts'

const skip = without('mosquitto', 'mosquitto_pub')

function publish(...words: string[]) {
  return promisify(execFile)('mosquitto_pub', ['-h', '127.0.0.1', '-q', '1', '-m', 'hello', ...words])
}

test(
  'startMosquitto() listens in plaintext, with TLS, with mutual TLS and over WebSocket',
  { skip },
  async () => {
    await using broker = await startMosquitto({
      listeners: LISTENER_KINDS,
      acl: { 'edge-1': ['write a/#'], '': ['write b/#'] },
    })
    const { pki } = broker
    assert.ok(pki !== undefined)
    const edge = await pki.client('edge-1')
    const port = (kind: 'plain' | 'tls' | 'mutual') => ['-p', String(broker.port(kind))]
    const tls = ['--cafile', pki.ca]
    const mutual = [...tls, '--cert', edge.cert, '--key', edge.key]

    await publish(...port('plain'), '-t', 'b/1')
    await publish(...port('tls'), ...tls, '-t', 'b/1')
    await publish(...port('mutual'), ...mutual, '-V', '5', '-t', 'a/1')
    // the identity is the certificate's: another topic is refused, and so is nobody
    const refused = await publish(...port('mutual'), ...mutual, '-V', '5', '-t', 'b/1')
    assert.match(refused.stderr, /not authorized/i)
    await assert.rejects(publish(...port('mutual'), ...tls, '-t', 'a/1'))

    const edgeFiles = {
      ca: await readFile(pki.ca),
      cert: await readFile(edge.cert),
      key: await readFile(edge.key),
    }
    for (const kind of ['ws', 'wss', 'wssMutual'] as const) {
      const socket = new WebSocket(`${broker.url(kind)}/mqtt`, 'mqtt', edgeFiles)
      await once(socket, 'open')
      socket.terminate()
    }
    const stranger = new WebSocket(`${broker.url('wssMutual')}/mqtt`, 'mqtt', { ca: edgeFiles.ca })
    await assert.rejects(once(stranger, 'open'))
  },
)

test('startMosquitto() lets in only its users when it has any', { skip }, async () => {
  await using broker = await startMosquitto({ users: { ann: 'secret' } })
  const port = ['-p', String(broker.port('plain')), '-t', 'x']
  await publish(...port, '-u', 'ann', '-P', 'secret')
  await assert.rejects(publish(...port, '-u', 'ann', '-P', 'wrong'), /not authori[sz]ed/i)
  await assert.rejects(publish(...port), /not authori[sz]ed/i)
})

test('startMosquitto() answers refused subscriptions when it is asked to', { skip }, async () => {
  await using broker = await startMosquitto({
    listeners: ['mutual'],
    users: { ann: 'secret' },
    acl: { ann: ['readwrite a/#'], 'edge-1': ['read b/#'] },
    refusesSubscriptions: true,
  })
  const user: IClientOptions = { username: 'ann', password: 'secret', protocolVersion: 5, reconnectPeriod: 0 }
  const ann = await connectAsync(broker.url('plain'), user)
  await ann.subscribeAsync('a/1', { qos: 1 })
  await ann.publishAsync('a/1', 'hello', { qos: 1 })
  await assert.rejects(ann.subscribeAsync('b/1', { qos: 1 }), { message: /Not authorized/ })
  await ann.endAsync()

  const { cert = '', key = '' } = (await broker.pki?.client('edge-1')) ?? {}
  const edge = await connectAsync(broker.url('mutual'), {
    ca: await readFile(broker.pki?.ca ?? ''),
    cert: await readFile(cert),
    key: await readFile(key),
    reconnectPeriod: 0,
    protocolVersion: 5,
  })
  await edge.subscribeAsync('b/1', { qos: 1 })
  await assert.rejects(edge.subscribeAsync('a/1', { qos: 1 }), { message: /Not authorized/ })
  await edge.endAsync()
})

test(
  'restart() comes back on the same port, with what was retained, also after kill()',
  { skip },
  async () => {
    await using broker = await startMosquitto({ persistence: true })
    const port = ['-p', String(broker.port('plain')), '-t', 'kept']
    const read = () => promisify(execFile)('mosquitto_sub', [...port, '-C', '1', '-W', '5'])
    await publish(...port, '-r')
    const before = broker.pid
    await broker.restart()
    assert.notEqual(broker.pid, before)
    assert.equal((await read()).stdout, 'hello\n')
    await broker.kill()
    assert.equal(broker.pid, 0)
    await assert.rejects(publish(...port), /refused/i)
    await broker.restart()
    assert.equal((await read()).stdout, 'hello\n')
  },
)

test(
  'freeze() halts the broker and thaw() lets it go on; stop() works on a frozen one',
  { skip },
  async () => {
    await using broker = await startMosquitto()
    broker.freeze()
    // the kernel still accepts
    const socket = connect(broker.port('plain'), '127.0.0.1')
    await once(socket, 'connect')
    const mark = broker.log.length
    await assert.rejects(broker.waitForLog(/New connection/, { from: mark, timeoutMs: 100 }), /within 100 ms/)
    broker.thaw()
    await broker.waitForLog(/New connection/, { from: mark })
    broker.freeze()
    await broker.stop()
    await broker.stop()
    socket.destroy()
  },
)

test('startMosquitto() fails with the log when the broker does not like its settings', { skip }, async () => {
  await assert.rejects(startMosquitto({ settings: { max_inflight: 'many' } }), /ended before[^]*max_inflight/)
})
