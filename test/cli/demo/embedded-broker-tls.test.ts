import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect as connectTcp } from 'node:net'
import test from 'node:test'

import { connect } from 'mqtt'
import type { IClientOptions, MqttClient } from 'mqtt'

import { startEmbeddedBroker } from '../../../src/cli/demo/index.ts'
import type { EmbeddedBroker, Refusal } from '../../../src/cli/demo/index.ts'
import { createAuthority } from '../../../src/identity/index.ts'

interface DialOptions {
  readonly ca?: 'ours' | 'other'
  readonly scheme?: 'mqtts' | 'wss'
  readonly door?: 'optional'
}

interface Setup {
  readonly broker: EmbeddedBroker<'mqtts' | 'wss' | 'optional'>
  readonly refusals: Refusal[]
  /** Dials with a certificate of the CA that the broker trusts, of another one, or with none. */
  readonly dial: (name: string | undefined, options?: DialOptions) => Promise<MqttClient>
}

async function withSecureBroker(body: (setup: Setup) => Promise<void>): Promise<void> {
  const ours = await createAuthority({ commonName: 'Ours' })
  const other = await createAuthority({ commonName: 'Ours' })
  const server = await ours.issue({ commonName: 'broker', profile: 'server', hosts: ['127.0.0.1'] })
  const tls = { ca: ours.certificatePem, cert: server.certificatePem, key: server.keyPem }
  const refusals: Refusal[] = []
  const clients: MqttClient[] = []
  const broker = await startEmbeddedBroker({
    listeners: {
      mqtts: { tls: { ...tls, requireClientCertificate: true } },
      wss: { tls: { ...tls, requireClientCertificate: true }, websocket: true },
      optional: { tls },
    },
    users: { operator: 'secret' },
    rules: [
      { identity: 'camera-1', publish: ['camera-1/#'], subscribe: ['camera-1/in'] },
      { identity: 'operator', publish: ['camera-1/in'], subscribe: ['camera-1/#'] },
    ],
    onRefused: (refusal) => refusals.push(refusal),
  })
  const dial: Setup['dial'] = async (name, { ca = 'ours', scheme = 'mqtts', door } = {}) => {
    const options: IClientOptions = { ca: ours.certificatePem, reconnectPeriod: 0, connectTimeout: 5000 }
    if (name !== undefined) {
      const issued = await (ca === 'ours' ? ours : other).issue({ commonName: name, profile: 'client' })
      Object.assign(options, { cert: issued.certificatePem, key: issued.keyPem })
    }
    if (name === undefined) Object.assign(options, { username: 'operator', password: 'secret' })
    const client = connect(`${scheme}://127.0.0.1:${broker.port(door ?? scheme)}`, options)
    clients.push(client)
    await new Promise((resolve, reject) => {
      client.once('connect', resolve)
      client.on('error', reject)
      client.once('close', () => reject(new Error('closed')))
    })
    return client
  }
  try {
    await body({ broker, refusals, dial })
  } finally {
    await Promise.all(clients.map((client) => client.endAsync(true)))
    await broker.close()
  }
}

test('the broker knows a client by the common name of its certificate, over MQTT and WebSocket', () =>
  withSecureBroker(async ({ broker, dial }) => {
    await dial('camera-1')
    await dial('camera-1', { scheme: 'wss' })
    assert.deepEqual(
      broker.connections().map(({ identity, listener, tls }) => ({ identity, listener, tls })),
      ['mqtts', 'wss'].map((listener) => ({
        identity: 'camera-1',
        listener,
        tls: { version: 'TLSv1.3', cipher: 'TLS_AES_256_GCM_SHA384' },
      })),
    )
  }))

test('the broker refuses a certificate of another CA of the same name, and a client without one, in the handshake', () =>
  withSecureBroker(async ({ broker, refusals, dial }) => {
    await assert.rejects(dial('camera-1', { ca: 'other' }))
    await assert.rejects(dial(undefined))
    await assert.rejects(dial('camera-1', { ca: 'other', scheme: 'wss' }))
    assert.deepEqual(broker.connections(), [])
    assert.deepEqual(
      refusals.map(({ step }) => step),
      ['handshake', 'handshake', 'handshake'],
    )
    assert.match(refusals[0]?.reason ?? '', /SIGNATURE|UNABLE_TO_VERIFY|SELF_SIGNED|signature|verify/)
    assert.match(refusals[1]?.reason ?? '', /certificate/)
  }))

test('the broker goes by the certificate, not by the user name that is given beside it', () =>
  withSecureBroker(async ({ broker, dial }) => {
    const camera = await dial('camera-1', { door: 'optional' })
    const operator = await dial(undefined, { door: 'optional' })
    assert.deepEqual(
      broker.connections().map(({ identity }) => identity),
      ['camera-1', 'operator'],
    )
    const heard = new Promise((resolve) => operator.once('message', (topic) => resolve(topic)))
    await operator.subscribeAsync('camera-1/out', { qos: 1 })
    await camera.publishAsync('camera-1/out', 'x', { qos: 1 })
    assert.equal(await heard, 'camera-1/out')
  }))

test('close() does not wait for a TCP connection that never says a word of TLS', () =>
  withSecureBroker(async ({ broker }) => {
    const socket = connectTcp(broker.port('mqtts'), '127.0.0.1')
    socket.on('error', () => undefined)
    await once(socket, 'connect')
    await Promise.all([once(socket, 'close'), broker.close()])
  }))

test('startEmbeddedBroker() refuses unusable TLS material, and a demand for certificates without a CA', async () => {
  await assert.rejects(startEmbeddedBroker({ listeners: { main: { tls: { cert: 'no', key: 'no' } } } }), {
    code: 'KEY_INVALID',
  })
  await assert.rejects(
    startEmbeddedBroker({
      listeners: { main: { tls: { cert: 'x', key: 'x', requireClientCertificate: true } } },
    }),
    { code: 'INVALID_OPTIONS' },
  )
})
