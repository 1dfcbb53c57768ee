import assert from 'node:assert/strict'
import { tmpdir } from 'node:os'
import { test } from 'node:test'

import { readBroker } from '../../../src/kit/deepstream/broker.ts'
import type { BrokerResult } from '../../../src/kit/deepstream/broker.ts'
import { parseKeyFile } from '../../../src/kit/key-file.ts'

/*
 * Every key of the files of DeepStream's adaptors, a row each: what it becomes in a connection of ours, or that it has no effect.
 */

type Row = readonly [
  key: string,
  value: string,
  /** The place in the target and what stands there then; or a text of the warning. */
  effect: readonly [path: string, value: unknown] | string,
  /** Lines that it needs beside it. */
  beside?: string,
]

const SHARE: Row = ['share-connection', '1', ['share', true]]

const KAFKA: readonly Row[] = [
  ['proto-cfg', '"security.protocol=SSL"', ['url', 'kafkas://host:1234']],
  ['producer-proto-cfg', '"acks=1"', ['options.acks', '1']],
  ['consumer-proto-cfg', '"group.id=mine"', ['group', 'mine']],
  ['partition-key', 'place.id', ['partitionKey', 'place.id']],
  ['consumer-group-id', 'mine', ['group', 'mine']],
  SHARE,
]

const AMQP: readonly Row[] = [
  ['hostname', 'other', ['url', 'amqp://other:1234'], 'port=1234'],
  ['port', '4321', ['url', 'amqp://other:4321'], 'hostname=other'],
  ['username', 'me', ['auth.user', 'me']],
  ['password', 'word', ['auth.password', 'word'], 'username=me'],
  ['exchange', 'mine', ['options.exchange', 'mine']],
  ['topic', 'mine', ['defaultTopic', 'mine']],
  ['amqp-framesize', '4096', ['options.frameMaxBytes', 4096]],
  ['amqp-heartbeat', '7', ['options.heartbeatSeconds', 7]],
  SHARE,
]

const REDIS: readonly Row[] = [
  ['hostname', 'other', ['url', 'redis://other:1234'], 'port=1234'],
  ['port', '4321', ['url', 'redis://other:4321'], 'hostname=other'],
  ['password', 'word', ['auth.password', 'word']],
  ['streamsize', '1000', ['options.maxStreamLength', 1000]],
  ['payloadkey', 'mine', ['options.payloadField', 'mine']],
  ['consumergroup', 'mine', ['group', 'mine']],
  ['consumername', 'mine', ['options.consumer', 'mine']],
  ['flush-timeout', '1000', 'has no effect'],
  ['sensorid', 'x', 'has no effect'],
  SHARE,
]

const MQTT: readonly Row[] = [
  ['username', 'me', ['auth.user', 'me']],
  ['password', 'word', ['auth.password', 'word'], 'username=me'],
  ['client-id', 'mine', ['options.clientId', 'mine']],
  ['enable-tls', '1', ['url', 'mqtts://host:1234'], 'tls-cafile=/ca.pem'],
  ['tls-cafile', '/ca.pem', ['tls.ca', '/ca.pem'], 'enable-tls=1'],
  ['tls-capath', '/no/such/folder', 'is no folder that can be read', 'enable-tls=1'],
  ['tls-certfile', '/c.pem', ['tls.cert', '/c.pem'], 'enable-tls=1\ntls-cafile=/ca.pem\ntls-keyfile=/k.pem'],
  ['tls-keyfile', '/k.pem', ['tls.key', '/k.pem'], 'enable-tls=1\ntls-cafile=/ca.pem\ntls-certfile=/c.pem'],
  ['loop-timeout', '1000', 'has no effect'],
  ['keep-alive', '7', ['options.keepAliveSeconds', 7]],
  ['set-threaded', '0', 'has no effect'],
  SHARE,
]

const DEVICE = 'HostName=hub;DeviceId=me;SharedAccessKey=c2VjcmV0'
const AZURE: readonly Row[] = [
  ['connection_str', DEVICE, ['url', 'azure://hub']],
  [
    'custom_msg_properties',
    'a=1;b=2;',
    ['options.properties', { a: '1', b: '2' }],
    `connection_str=${DEVICE}`,
  ],
  ['cleanup-timeout', '20', 'has no effect', `connection_str=${DEVICE}`],
  SHARE,
]

/** The rows of each library, and a connection string that is none of its keys'. */
const LIBRARIES: Readonly<Record<string, { readonly connection?: string; readonly rows: readonly Row[] }>> = {
  kafka: { connection: 'host;1234', rows: KAFKA },
  amqp: { rows: AMQP },
  redis: { rows: REDIS },
  mqtt: { connection: 'host;1234', rows: MQTT },
  azure: { rows: AZURE },
}

function read(library: string, connection: string | undefined, lines: string): BrokerResult {
  return readBroker({
    library: `/lib/libnvds_${library}_proto.so`,
    connection,
    group: parseKeyFile(`[message-broker]\n${lines}\n`).groups.get('message-broker'),
    env: {},
    folder: tmpdir(),
  })
}

function at(data: unknown, path: string): unknown {
  let here = data
  for (const step of path.split('.')) {
    here =
      typeof here === 'object' && here !== null
        ? Object.entries(here).find(([key]) => key === step)?.[1]
        : undefined
  }
  return here
}

for (const [library, { connection, rows }] of Object.entries(LIBRARIES)) {
  test(`the rows of libnvds_${library}_proto.so are all keys that it knows`, () => {
    const [problem] = read(library, connection, 'zzzzzzzzzzzzzzzz=1').problems.filter(
      ({ entry }) => entry !== undefined,
    )
    const known = /known are (.*)$/.exec(problem?.text ?? '')?.[1]?.split(', ') ?? []
    assert.deepEqual(rows.map(([key]) => key).toSorted(), known.toSorted())
  })

  for (const [key, value, effect, beside = ''] of rows) {
    test(`"${key}" of libnvds_${library}_proto.so ${typeof effect === 'string' ? effect : `becomes ${effect[0]}`}`, () => {
      const { target, problems } = read(library, connection, `${beside}\n${key}=${value}`)
      const told = problems.filter(({ entry }) => entry?.key === key).map(({ text }) => text)
      if (typeof effect === 'string') {
        assert.ok(
          told.some((text) => text.includes(effect)),
          told.join('; '),
        )
        return
      }
      const [path, expected] = effect
      assert.deepEqual(told, [])
      assert.deepEqual(at(target, path), expected)
      // it is this key that makes it so
      assert.notDeepEqual(at(read(library, connection, beside).target, path), expected)
    })
  }
}
