import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'

import type { IClientOptions, MqttClient } from 'mqtt'
import { connectAsync } from 'mqtt'

import { LISTENER_KINDS, startEmbedded } from './index.ts'

const noRetry: IClientOptions = { reconnectPeriod: 0, connectTimeout: 5000 }

function closing(client: MqttClient): Promise<void> {
  return new Promise((resolve) => client.once('close', resolve))
}

test('startEmbedded() listens in plaintext, with TLS, with mutual TLS and over WebSocket', async () => {
  await using broker = await startEmbedded({ listeners: LISTENER_KINDS })
  const { pki } = broker
  assert.ok(pki !== undefined)
  const edge = await pki.client('edge-1')
  const tls = { ...noRetry, ca: await readFile(pki.ca) }
  const mutual = { ...tls, cert: await readFile(edge.cert), key: await readFile(edge.key) }
  for (const kind of LISTENER_KINDS) {
    const demands = kind === 'mutual' || kind === 'wssMutual'
    const client = await connectAsync(broker.url(kind), demands ? mutual : tls)
    await client.publishAsync('a', 'hello', { qos: 1 })
    await client.endAsync()
    if (demands) await assert.rejects(connectAsync(broker.url(kind), tls))
  }
})

test('startEmbedded() holds users to their passwords and their topics', async () => {
  await using broker = await startEmbedded({
    users: { ann: 'secret' },
    acl: { ann: ['write out/#', 'read in/#'] },
  })
  const url = broker.url('plain')
  await assert.rejects(connectAsync(url, noRetry), { code: 4 })
  await assert.rejects(connectAsync(url, { ...noRetry, username: 'ann', password: 'wrong' }), { code: 4 })
  const ann = await connectAsync(url, { ...noRetry, username: 'ann', password: 'secret' })
  await ann.publishAsync('out/1', 'hello', { qos: 1 })
  await ann.subscribeAsync('in/1')
  await assert.rejects(ann.subscribeAsync('out/1'))
  const closed = closing(ann)
  ann.publish('in/1', 'not mine', { qos: 1 })
  await broker.waitForLog(/refused publish ann in\/1/)
  await closed
  await ann.endAsync(true)
})

test('kill() ends the embedded broker and restart() brings it back on the same port', async () => {
  await using broker = await startEmbedded()
  const client = await connectAsync(broker.url('plain'), noRetry)
  const closed = closing(client)
  const before = broker.pid
  await broker.kill()
  await closed
  await client.endAsync(true)
  await broker.restart()
  assert.notEqual(broker.pid, before)
  await (await connectAsync(broker.url('plain'), noRetry)).endAsync()
})
