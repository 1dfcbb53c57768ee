import assert from 'node:assert/strict'
import { test } from 'node:test'

import { LIB, lint } from './files.ts'

const TXT = `[sink0]
enable=1
type=6
msg-conv-payload-type=1
msg-broker-proto-lib=${LIB}/libnvds_kafka_proto.so
msg-broker-conn-str=broker.example;9092
msg-broker-config=cfg_kafka.txt
topic=minimal

[message-consumer0]
enable=1
proto-lib=${LIB}/libnvds_kafka_proto.so
conn-str=broker.example;9092
config-file=cfg_kafka.txt
subscribe-topic-list=c2d
`

/** What a file of the Kafka adaptor comes to. */
async function kafkaFile(t: Parameters<typeof lint>[0], lines: string) {
  return lint(t, 't.txt', { 't.txt': TXT, 'cfg_kafka.txt': `[message-broker]\n${lines}\n` })
}

test('lintConfig() gives the messages of a Kafka sink the key that its file names, by default sensor.id', async (t) => {
  const byDefault = await kafkaFile(t, '#partition-key = sensorId')
  assert.deepEqual(byDefault.lines, [])
  const connections = Object.values(byDefault.config?.connections ?? {})
  assert.deepEqual(
    connections.map(({ url, options }) => [url, options]),
    [['kafka://broker.example:9092', { start: 'earliest' }]],
  )
  assert.equal(byDefault.config?.routes[0]?.key, 'sensor.id')
  assert.equal(byDefault.config?.commands[0]?.group, 'test-consumer-group')
  const named = await kafkaFile(t, 'partition-key = sensorId\nconsumer-group-id = gate')
  assert.deepEqual(named.lines, [])
  assert.deepEqual([named.config?.routes[0]?.key, named.config?.commands[0]?.group], ['sensorId', 'gate'])
})
