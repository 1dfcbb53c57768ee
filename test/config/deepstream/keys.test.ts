import assert from 'node:assert/strict'
import { test } from 'node:test'

import type { GroupKind } from '../../../src/config/deepstream/keys.ts'
import { GROUP_KEYS } from '../../../src/config/deepstream/keys.ts'
import type { LintResult } from '../../../src/config/index.ts'
import { LIB, lint, PROPERTIES_FILE } from './files.ts'

/*
 * Every key of messaging of DeepStream's application, a row each: what it becomes here, or that it has no effect. Keys of video are told
 * by name and have none.
 */

type Row = readonly [
  key: string,
  value: string,
  /** The place in the configuration that it changes and what stands there then; or a text of the warning. */
  effect: readonly [path: string, value: unknown] | string,
  /** Keys that it needs beside it. */
  beside?: string,
]

const SINK: readonly Row[] = [
  ['enable', '0', ['routes', []]],
  ['type', '2', ['routes', []]],
  ['msg-conv-config', 'other.txt', ['routes.0.converter.properties', 'FOLDER/other.txt']],
  ['msg-conv-payload-type', '1', ['routes.0.payload', 'deepstream-minimal']],
  ['msg-conv-msg2p-lib', `${LIB}/libnvds_msgconv.so`, ['routes.0.payload', 'deepstream-full']],
  ['msg-conv-comp-id', '2', ['routes.0.converter.componentId', 2]],
  ['msg-conv-msg2p-new-api', '1', ['routes.0.converter.newApi', true]],
  ['msg-conv-frame-interval', '7', ['routes.0.converter.frameInterval', 7], 'msg-conv-msg2p-new-api=1'],
  ['msg-conv-dummy-payload', '1', ['routes.0.converter.dummyPayload', true]],
  [
    'msg-broker-proto-lib',
    `${LIB}/libnvds_kafka_proto.so`,
    ['connections.sink0.url', 'kafka://localhost:1883'],
  ],
  ['msg-broker-conn-str', 'broker;1884', ['connections.sink0.url', 'mqtt://broker:1884']],
  ['msg-broker-config', 'cfg_mqtt.txt', ['connections.sink0.options.clientId', 'uniqueID']],
  ['msg-broker-comp-id', '3', ['routes.0.converter.componentId', 3], 'msg-conv-comp-id=3'],
  ['topic', 'other', ['routes.0.topic', 'other']],
  ['disable-msgconv', '1', ['routes', []]],
  ['new-api', '1', ['routes.0.topic', 'detections']],
  ['debug-payload-dir', '/tmp', 'has no effect'],
  ['multiple-payloads', '1', 'has no effect'],
  ['msg-conv-embedding-filter', 'Person', 'has no effect'],
  ['sleep-time', '10', 'has no effect'],
  ['sync', '0', 'has no effect'],
  ['qos', '0', 'has no effect'],
]

const CONVERTER: readonly Row[] = [
  ['enable', '0', ['routes', []]],
  ['msg-conv-config', 'other.txt', ['routes.0.converter.properties', 'FOLDER/other.txt']],
  ['msg-conv-payload-type', '1', ['routes.0.payload', 'deepstream-minimal']],
  ['msg-conv-msg2p-lib', `${LIB}/libnvds_msgconv.so`, ['routes.0.payload', 'deepstream-full']],
  ['msg-conv-comp-id', '2', ['routes.0.converter.componentId', 2]],
  ['msg-conv-msg2p-new-api', '1', ['routes.0.converter.newApi', true]],
  ['msg-conv-frame-interval', '7', ['routes.0.converter.frameInterval', 7], 'msg-conv-msg2p-new-api=1'],
  ['msg-conv-dummy-payload', '1', 'has no effect'],
  ['debug-payload-dir', '/tmp', 'has no effect'],
  ['multiple-payloads', '1', 'has no effect'],
  ['msg-conv-embedding-filter', 'Person', 'has no effect'],
]

const CONSUMER: readonly Row[] = [
  ['enable', '0', ['commands', []]],
  [
    'proto-lib',
    `${LIB}/libnvds_kafka_proto.so`,
    ['connections.message-consumer0.url', 'kafka://localhost:1883'],
    'config-file=cfg_kafka.txt',
  ],
  ['conn-str', 'broker;1884', ['connections.message-consumer0.url', 'mqtt://broker:1884']],
  ['config-file', 'cfg_mqtt.txt', ['connections.message-consumer0.options.clientId', 'uniqueID']],
  ['subscribe-topic-list', 'a;b', ['commands.0.topics', ['a', 'b']]],
  ['sensor-list-file', 'properties.txt', ['commands.0.sensors', { HWY_20: 0 }]],
]

const RECORDING = [
  'smart-record',
  'smart-rec-dir-path',
  'smart-rec-file-prefix',
  'smart-rec-cache',
  'smart-rec-video-cache',
  'smart-rec-container',
  'smart-rec-start-time',
  'smart-rec-duration',
  'smart-rec-default-duration',
  'smart-rec-interval',
].map((key): Row => [key, '1', 'has no effect'])

const SOURCE: readonly Row[] = [
  ['enable', '0', ['routes.0.converter.sensors', undefined], 'camera-id=7'],
  ['camera-id', '7', ['routes.0.converter.sensors', { '4': 7 }]],
  ['csv-file-path', 'sources.csv', ['routes.0.converter.sensors', { '1': 9 }]],
  ...RECORDING,
]

const SOURCE_LIST: readonly Row[] = [
  ['sensor-id-list', 'a;b', ['routes.0.converter.sensors', { a: 0, b: 1 }]],
  ['dummy-payload', '1', ['routes.0.converter.dummyObject', true]],
  ['enable-error-propagation', '1', 'has no effect'],
  ['proto-lib', 'x', 'has no effect'],
  ['conn-str', 'x', 'has no effect'],
  ['topic', 'x', 'has no effect'],
]

/** The rows of each kind of group, and the name of the group that gets the key. */
const ROWS: Readonly<Record<GroupKind, { readonly group: string; readonly rows: readonly Row[] }>> = {
  sink: { group: 'sink0', rows: SINK },
  'message-converter': { group: 'message-converter', rows: CONVERTER },
  'message-consumer': { group: 'message-consumer0', rows: CONSUMER },
  source: { group: 'source4', rows: SOURCE },
  'source-list': { group: 'source-list', rows: SOURCE_LIST },
}

const MQTT = `${LIB}/libnvds_mqtt_proto.so`

/** A configuration with everything that is needed, so that one key more or another value shows. */
function groupsFor(kind: GroupKind): Map<string, Map<string, string>> {
  const groups: Record<string, Record<string, string>> = {
    source4: { enable: '1' },
    'source-list': {},
    sink0: {
      enable: '1',
      type: '6',
      'msg-conv-config': 'properties.txt',
      'msg-broker-proto-lib': MQTT,
      'msg-broker-conn-str': 'localhost;1883',
      topic: 'detections',
    },
    'message-consumer0': {
      enable: '1',
      'proto-lib': MQTT,
      'conn-str': 'localhost;1883',
      // the same connection as the sink's would be one
      'config-file': 'consumer.txt',
      'subscribe-topic-list': 'commands',
    },
  }
  if (kind === 'message-converter') {
    Object.assign(groups['sink0'] ?? {}, { 'disable-msgconv': '1' })
    groups['message-converter'] = { enable: '1', 'msg-conv-config': 'properties.txt' }
  }
  return new Map(Object.entries(groups).map(([name, entries]) => [name, new Map(Object.entries(entries))]))
}

const FILES = {
  'sources.csv': 'enable,uri,camera-id\n1,rtsp://a,\n1,rtsp://b,9\n0,rtsp://c,5\n',
  'properties.txt': PROPERTIES_FILE,
  'other.txt': PROPERTIES_FILE,
  'cfg_mqtt.txt': '[message-broker]\nclient-id = uniqueID\n',
  'cfg_kafka.txt': '[message-broker]\nconsumer-group-id = g\n',
  'consumer.txt': '[message-broker]\nclient-id = consumer\n',
}

function textOf(groups: ReadonlyMap<string, ReadonlyMap<string, string>>): string {
  const lines = [...groups].flatMap(([name, entries]) => [
    `[${name}]`,
    ...[...entries].map(([key, value]) => `${key}=${value}`),
  ])
  return `${lines.join('\n')}\n`
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

for (const [kind, { group, rows }] of Object.entries(ROWS)) {
  if (!isKind(kind)) continue
  test(`the rows of [${group}] are all of its keys that concern messaging`, () => {
    const { used, idle } = GROUP_KEYS[kind]
    assert.deepEqual(rows.map(([key]) => key).toSorted(), [...used, ...Object.keys(idle)].toSorted())
  })

  for (const [key, value, effect, beside] of rows) {
    test(`"${key}" of [${group}] ${typeof effect === 'string' ? effect : `becomes ${effect[0]}`}`, async (t) => {
      const groups = groupsFor(kind)
      for (const pair of beside === undefined ? [] : [beside]) {
        const [name = '', text = ''] = pair.split('=')
        groups.get(group)?.set(name, text)
      }
      const check = (): Promise<LintResult & { readonly folder: string }> =>
        lint(t, 'test5.txt', { ...FILES, 'test5.txt': textOf(groups) })
      const before = await check()
      groups.get(group)?.set(key, value)
      const after = await check()
      const told = after.problems
        .map(({ message }) => message)
        .filter((message) => message.includes(`"${key}"`))
      if (typeof effect === 'string') {
        assert.ok(
          told.some((message) => message.includes(effect)),
          told.join('; '),
        )
        assert.deepEqual(withoutFolder(after), withoutFolder(before))
      } else {
        const [path, expected] = effect
        assert.deepEqual(told, [])
        assert.deepEqual(at(withoutFolder(after), path), expected)
      }
    })
  }

  if (kind !== 'source' && kind !== 'source-list') continue
  test(`keys of video in [${group}] are told by name, and have no effect`, async (t) => {
    const { video } = GROUP_KEYS[kind]
    const groups = groupsFor(kind)
    const before = await lint(t, 'test5.txt', { ...FILES, 'test5.txt': textOf(groups) })
    for (const key of video) if (key !== 'type') groups.get(group)?.set(key, '1')
    const after = await lint(t, 'test5.txt', { ...FILES, 'test5.txt': textOf(groups) })
    assert.deepEqual(withoutFolder(after), withoutFolder(before))
    const told = after.problems.map(({ message }) => message).join('\n')
    for (const key of groups.get(group)?.keys() ?? []) {
      if (video.some((known) => known === key)) assert.ok(told.includes(key), `${key} in ${told}`)
    }
  })
}

function isKind(kind: string): kind is GroupKind {
  return Object.hasOwn(ROWS, kind)
}

/** The configuration with FOLDER for the folder of this test. */
function withoutFolder({ config, folder }: LintResult & { readonly folder: string }): unknown {
  return config === undefined ? undefined : JSON.parse(JSON.stringify(config).replaceAll(folder, 'FOLDER'))
}
