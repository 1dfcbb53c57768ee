import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { promisify } from 'node:util'

import { startMosquitto, without } from '../brokers/index.ts'
import type { TestBroker } from '../brokers/index.ts'
import { FakeProcess } from './fake-io.ts'

const skip = without('mosquitto', 'mosquitto_pub', 'mosquitto_sub')

/** The words by which a mosquitto client and backhaul become the same identity at the mutual TLS listener. */
async function identity(broker: TestBroker, name: string): Promise<{ theirs: string[]; ours: string[] }> {
  const { pki } = broker
  assert.ok(pki !== undefined)
  const { cert, key } = await pki.client(name)
  const ours = ['--ca', pki.ca, '--cert', cert, '--key', key, '--deadline', '20s']
  const port = String(broker.port('mutual'))
  return { ours, theirs: ['-h', 'localhost', '-p', port, '--cafile', pki.ca, '--cert', cert, '--key', key] }
}

test('mosquitto_pub is the other end of backhaul sub over mutual TLS', { skip }, async () => {
  await using broker = await startMosquitto({ listeners: ['mutual'] })
  const { ours, theirs } = await identity(broker, 'edge-1')
  const url = broker.url('mutual')
  const plain = new FakeProcess()
  const json = new FakeProcess()
  const ended = [
    plain.run('sub', url, 'site/+', '--count', '2', ...ours),
    json.run('sub', url, 'site/#', '--count', '2', '--json', ...ours),
  ]
  await Promise.all([plain.until(/subscribed to/), json.until(/subscribed to/)])
  for (const version of ['5', '311']) {
    const words = ['-V', version, '-q', '1', '-t', `site/${version}`, '-m', `from ${version}`]
    await promisify(execFile)('mosquitto_pub', [...theirs, ...words])
  }
  assert.deepEqual(await Promise.all(ended), [0, 0])
  assert.equal(plain.out, 'from 5\nfrom 311\n')
  assert.match(plain.err, /^connected: MQTT 5 .*TLSv1\.3 TLS_\w+.*edge-1/)
  const topics = json.out
    .trim()
    .split('\n')
    .map((line): unknown => Object(JSON.parse(line)).topic)
  assert.deepEqual(topics, ['site/5', 'site/311'])
})

test('mosquitto_sub is the other end of backhaul pub over mutual TLS', { skip }, async () => {
  await using broker = await startMosquitto({ listeners: ['mutual'], settings: { log_type: 'all' } })
  const { ours, theirs } = await identity(broker, 'edge-1')
  const reader = spawn('mosquitto_sub', [
    ...theirs,
    '-V',
    '5',
    '-q',
    '1',
    '-t',
    'site/#',
    '-C',
    '3',
    '-F',
    '%t %q %p',
  ])
  const closed = once(reader, 'close')
  let received = ''
  reader.stdout.on('data', (chunk: Buffer) => {
    received += chunk.toString()
  })
  await broker.waitForLog(/Sending SUBACK/)
  const publisher = new FakeProcess()
  publisher.stdin.end('one\ntwo\n')
  assert.equal(await publisher.run('pub', broker.url('mutual'), 'site/1', ...ours), 0)
  const exact = ['pub', broker.url('mutual'), 'site/2', '--message', 'three', '-o', 'qos=2', ...ours]
  assert.equal(await new FakeProcess().run(...exact), 0)
  await closed
  assert.equal(received, 'site/1 1 one\nsite/1 1 two\nsite/2 1 three\n')
})
