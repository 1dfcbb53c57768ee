import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { test } from 'node:test'

import { connect } from '../../../src/index.ts'
import { startMosquitto } from '../../brokers/index.ts'
import { folderOf, LIB, PROPERTIES_FILE } from '../../config/deepstream/files.ts'
import { cli, FakeProcess } from '../fake-io.ts'

/** Two cameras' frames, the second in DeepStream's own minimal form. */
const FRAMES = `{"timestamp":"2026-01-02T03:04:05.678Z","sensorId":"HWY_20","frame":17,"objects":[{"trackingId":"12","type":"vehicle","event":"moving","confidence":0.87,"box":{"left":100,"top":50.5,"width":120,"height":129.5},"attributes":{"type":"sedan","color":"blue"}}]}
{"version":"4.0","id":"18","@timestamp":"2026-01-02T03:04:06.678Z","sensorId":"HWY_20","objects":["13|1|2|3|4|Person|#|||||||0.5"]}
`

const CSV = 'enable,type,uri\n1,3,file:///opt/sample.mp4\n'

const TXT = `[application]
enable-perf-measurement=1

[source0]
enable=1
type=3
uri=file:///opt/sample.mp4

[sink0]
enable=1
type=2

[sink1]
enable=1
type=6
msg-conv-config=properties.txt
msg-conv-payload-type=0
msg-broker-proto-lib=${LIB}/libnvds_mqtt_proto.so
msg-broker-conn-str=127.0.0.1;PORT;full
topic=full

[sink2]
enable=1
type=6
msg-conv-config=properties.txt
msg-conv-payload-type=1
msg-broker-proto-lib=${LIB}/libnvds_mqtt_proto.so
msg-broker-conn-str=127.0.0.1;PORT
topic=minimal

[message-converter]
enable=0

[osd]
enable=1
`

const YML = `application:
  enable-perf-measurement: 1
source:
  csv-file-path: sources.csv
sink0:
  enable: 1
  type: 2
sink1:
  enable: 1
  type: 6
  msg-conv-config: properties.txt
  msg-conv-payload-type: 0
  msg-broker-proto-lib: ${LIB}/libnvds_mqtt_proto.so
  msg-broker-conn-str: 127.0.0.1;PORT;full
  topic: full
sink2:
  enable: 1
  type: 6
  msg-conv-config: properties.txt
  msg-conv-payload-type: 1
  msg-broker-proto-lib: ${LIB}/libnvds_mqtt_proto.so
  msg-broker-conn-str: 127.0.0.1;PORT
  topic: minimal
message-converter:
  enable: 0
osd:
  enable: 1
`

async function messagesOf(t: TestContext, name: string, text: string, input: 'stdin' | 'file') {
  const broker = await startMosquitto()
  t.after(() => broker.stop())
  const folder = await folderOf(t, {
    'properties.txt': PROPERTIES_FILE,
    'frames.jsonl': FRAMES,
    'sources.csv': CSV,
  })
  const file = join(folder, name)
  await writeFile(file, text.replaceAll('PORT', String(broker.port('plain'))))
  await using client = await connect(broker.url('plain'))
  const received: string[] = []
  await using subscription = await client.subscribe(['full', 'minimal'])
  const process = new FakeProcess()
  process.stdin.end(FRAMES)
  const args = input === 'file' ? ['--input', `file:${join(folder, 'frames.jsonl')}`] : []
  const code = await process.run('run', file, ...args)
  assert.equal(code, 0, process.err)
  assert.equal(process.out, 'App run successful\n')
  for await (const delivery of bounded(subscription)) {
    const { topic, payload } = delivery
    received.push(`${topic} ${Buffer.from(payload).toString()}`)
    delivery.ack()
    if (received.length === 4) break
  }
  return received.map(withoutIds).toSorted()
}

async function* bounded<T>(items: AsyncIterable<T>): AsyncGenerator<T> {
  const timeout = AbortSignal.timeout(20_000)
  const end = once(timeout, 'abort').then(() => undefined)
  const iterator = items[Symbol.asyncIterator]()
  for (;;) {
    const next = await Promise.race([iterator.next(), end])
    if (next === undefined || next.done === true) return
    yield next.value
  }
}

/** Ids are new for each message. */
function withoutIds(text: string): string {
  return text.replaceAll(/[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/g, 'uuid')
}

for (const [name, text, input] of [
  ['test5.txt', TXT, 'stdin'],
  ['test5.yml', YML, 'file'],
] as const) {
  test(`B15: run takes ${name} as it is, and a real Mosquitto gets the bytes that DeepStream sends`, async (t) => {
    const received = await messagesOf(t, name, text, input)
    const golden = readFileSync('test/cli/golden/deepstream-mqtt.txt', 'utf8')
    assert.equal(received.join('\n=====\n'), golden.trimEnd())
  })
}

test('B8: check --connect of a file whose broker is not there tells so', async (t) => {
  const folder = await folderOf(t, {
    'properties.txt': PROPERTIES_FILE,
    'test5.txt': TXT.replaceAll('PORT', '1'),
  })
  const ended = await cli('check', join(folder, 'test5.txt'), '--connect', '--deadline', '1s')
  assert.notEqual(ended.code, 0)
  assert.match(ended.out, /sink1: UNREACHABLE/)
})

test('convert writes our own form to stdout, and what has no effect to stderr', async (t) => {
  const folder = await folderOf(t, {
    'properties.txt': PROPERTIES_FILE,
    'test5.txt': TXT.replaceAll('PORT', '1883'),
  })
  const ended = await cli('convert', join(folder, 'test5.txt'), '--device', 'edge-1')
  assert.equal(ended.code, 0, ended.err)
  assert.match(ended.out, /^version: 1$/m)
  assert.match(ended.out, /^ {2}id: edge-1$/m)
  assert.match(ended.err, /warning: the groups application, osd do not concern messaging/)
})

test('run of a file of our own refuses --input', async (t) => {
  const folder = await folderOf(t, { 'edge.yaml': 'version: 1\ndevice: { id: x }\nconnections: {}\n' })
  const ended = await cli('run', join(folder, 'edge.yaml'), '--input', 'stdin')
  assert.equal(ended.code, 78)
  assert.match(ended.err, /--input is for files of DeepStream/)
})
