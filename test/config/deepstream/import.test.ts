import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'

import fc from 'fast-check'

import { convertDeepStream, lintConfig } from '../../../src/config/index.ts'
import { resolveTarget } from '../../../src/client/index.ts'
import { asYaml, folderOf, LIB, lint, PROPERTIES_FILE, sink } from './files.ts'

const TXT = `# Anything that DeepStream takes
[application]
enable-perf-measurement=1

[source0]
enable=1
type=4
uri=rtsp://camera/stream
smart-record=1

[source3]
enable=1
camera-id=7

[sink0]
enable=1
type=2

[sink1]
enable=1
type=6
msg-conv-config=properties.txt
msg-conv-payload-type=0
msg-broker-proto-lib=${LIB}/libnvds_mqtt_proto.so
msg-broker-conn-str=localhost;1883;old-topic
msg-broker-config=cfg/cfg_mqtt.txt

[sink2]
enable=1
type=6
msg-conv-payload-type=1
msg-conv-msg2p-new-api=1
msg-conv-frame-interval=10
msg-broker-proto-lib=libnvds_mqtt_proto.so
msg-broker-conn-str=localhost;1883
topic=minimal
msg-broker-config=cfg/cfg_mqtt.txt

[message-consumer0]
enable=1
proto-lib=${LIB}/libnvds_mqtt_proto.so
conn-str=localhost;1883
subscribe-topic-list=c2d/a;c2d/b;
sensor-list-file=properties.txt
`

const CFG = `[message-broker]
username = user
password = secret
client-id = uniqueID
keep-alive = 20
`

const FILES = { 'test5.txt': TXT, 'properties.txt': PROPERTIES_FILE, 'cfg/cfg_mqtt.txt': CFG }

function expected(folder: string, suffix: string) {
  const mqtt = {
    url: 'mqtt://localhost:1883',
    auth: { user: 'user', password: 'secret' },
    options: { clientId: 'uniqueID', keepAliveSeconds: 20 },
    allowPlaintextCredentials: true,
  }
  return {
    connections: { sink1: mqtt, 'message-consumer0': { url: mqtt.url, options: { keepAliveSeconds: 60 } } },
    routes: [
      {
        from: 'detections',
        to: 'sink1',
        topic: 'old-topic',
        payload: 'deepstream-full',
        converter: {
          layout: 'indented',
          properties: join(folder, `properties.${suffix}`),
          sensors: { '3': 7 },
        },
      },
      {
        from: 'detections',
        // the same broker with the same settings: one connection
        to: 'sink1',
        topic: 'minimal',
        payload: 'deepstream-minimal',
        converter: { layout: 'indented', sensors: { '3': 7 }, newApi: true, frameInterval: 10 },
      },
    ],
    commands: [
      {
        connection: 'message-consumer0',
        topics: ['c2d/a', 'c2d/b'],
        format: 'deepstream',
        sensors: { HWY_20: 0 },
      },
    ],
  }
}

/** Whether everything of a part is in the whole. */
function assertHolds(whole: unknown, part: unknown, at = ''): void {
  if (typeof part !== 'object' || part === null) {
    assert.equal(whole, part, at)
    return
  }
  for (const [name, value] of Object.entries(part)) assertHolds(Object(whole)[name], value, `${at}.${name}`)
}

test('lintConfig() turns a key file of DeepStream into connections, routes and commands', async (t) => {
  const { config, problems, folder, dialect } = await lint(t, 'test5.txt', FILES)
  assert.deepEqual(
    problems.filter(({ severity }) => severity === 'error'),
    [],
  )
  assert.equal(dialect, 'deepstream')
  assertHolds(config, expected(folder, 'txt'))
  assert.deepEqual(config?.inputs['detections']?.type, 'stdin')
})

test('B10: lintConfig() reads the same in YAML', async (t) => {
  const { config, problems, folder } = await lint(t, 'test5.yml', {
    'test5.yml': asYaml(TXT).replaceAll('properties.txt', 'properties.yml'),
    'properties.yml': asYaml(PROPERTIES_FILE),
    'cfg/cfg_mqtt.txt': CFG,
  })
  assert.deepEqual(
    problems.filter(({ severity }) => severity === 'error'),
    [],
  )
  assertHolds(config, expected(folder, 'yml'))
})

test('lintConfig() tells once what does not concern messaging, and what has no effect', async (t) => {
  const { lines } = await lint(t, 'test5.txt', FILES)
  assert.deepEqual(lines, [
    'test5.txt:1:1: warning: the groups application do not concern messaging and have no effect',
    'test5.txt:5:1: warning: of [source0] type, uri have no effect: video is not read here',
    'test5.txt:9:1: warning: "smart-record" has no effect: recording is not part of this version',
    'test5.txt:15:1: warning: [sink0] is no sink of type 6, which messages need, and has no effect',
  ])
})

test('convertDeepStream() writes YAML that means the same, and says where each part came from', async (t) => {
  const folder = await folderOf(t, FILES)
  const env = { USER_MQTT: 'someone', PASSWORD_MQTT: 'hidden' }
  const surroundings = { env, workingFolder: folder, deviceId: 'edge-1', input: 'unix:/run/x.sock' }
  const { yaml = '' } = convertDeepStream(join(folder, 'test5.txt'), surroundings)
  assert.match(yaml, /# \[sink1\] msg-broker-conn-str, line 25\n +url: mqtt:/)
  assert.doesNotMatch(yaml, /hidden|someone|secret/)
  const { config, problems } = await lintConfig({ text: yaml, folder }, { resolve: resolveTarget, env })
  assert.deepEqual(problems, [])
  const imported = await lintConfig(join(folder, 'test5.txt'), { ...surroundings, resolve: resolveTarget })
  assert.deepEqual(config, imported.config)
})

const PROBLEMS: readonly (readonly [what: string, text: string, line: RegExp])[] = [
  [
    'an unknown key of messaging in a sink',
    sink('topic=t\nmsg-brokr-config=x\nmsg-conv-payload-type=1'),
    /^t\.txt:7:1: "msg-brokr-config" is unknown in \[sink0\], did you mean "msg-broker-config"\?$/,
  ],
  [
    'an unknown key of video in a sink',
    sink('topic=t\nbitrat=x\nmsg-conv-payload-type=1'),
    /^t\.txt:7:1: warning: "bitrat" is unknown in \[sink0\], did you mean "bitrate"\?$/,
  ],
  [
    'an unknown key of a consumer',
    '[message-consumer0]\nenable=1\nprotolib=x',
    /^t\.txt:3:1: "protolib" is unknown in \[message-consumer0\], did you mean "proto-lib"\?$/,
  ],
  [
    'a key of recording in a group of video',
    '[osd]\nsmart-recrd=1',
    /^t\.txt:2:1: "smart-recrd" does not belong into \[osd\], put it into \[sourceN\]$/,
  ],
  [
    'a mistyped key of recording in a source',
    '[source0]\nenable=1\nsmart-rec-chache=1',
    /^t\.txt:3:1: "smart-rec-chache" is unknown in \[source0\], did you mean "smart-rec-cache"\?$/,
  ],
  [
    'a mistyped group of messages',
    '[message-convertr]\nenable=1',
    /^t\.txt:1:1: the group \[message-convertr\] is unknown, did you mean \[message-converter\]\?$/,
  ],
  [
    'a library of another name',
    sink('topic=t\nmsg-conv-payload-type=1').replace('libnvds_mqtt', 'libnvds_mqqt'),
    /^t\.txt:4:22: "msg-broker-proto-lib" of \[sink0\] names "libnvds_mqqt_proto\.so", .* did you mean "libnvds_mqtt_proto\.so"\?$/,
  ],
  [
    'an adaptor that is not there yet',
    sink('topic=t\nmsg-conv-payload-type=1', 'HostName=h;DeviceId=d;SharedAccessKey=a2V5').replace(
      'libnvds_mqtt',
      'libnvds_azure',
    ),
    /^t\.txt:5:21: Cannot use "libnvds_azure_proto\.so": this version has no adaptor for its protocol yet/,
  ],
  [
    'a connection string without a port',
    sink('topic=t\nmsg-conv-payload-type=1', 'localhost'),
    /^t\.txt:5:21: "msg-broker-conn-str" of \[sink0\] has no port, write host;port$/,
  ],
  [
    'a port in place of a topic',
    sink('msg-conv-payload-type=1'),
    /^t\.txt:5:21: \[sink0\] has no topic \(the original would take the port for one\), name one$/,
  ],
  [
    'the placeholders of the samples',
    sink('topic=<topic>\nmsg-conv-payload-type=1', '<host>;<port>;<topic>'),
    /^t\.txt:5:21: "msg-broker-conn-str" of \[sink0\] is still a placeholder/,
  ],
  [
    'the full schema without properties',
    sink('topic=t'),
    /^t\.txt:1:1: \[sink0\] has no msg-conv-config, which the full schema needs/,
  ],
  [
    'a payload type that is none',
    sink('topic=t\nmsg-conv-payload-type=3'),
    /^t\.txt:7:23: "msg-conv-payload-type" of \[sink0\] must be 0, 1, 2 or 257$/,
  ],
  [
    'a converter library of another',
    sink('topic=t\nmsg-conv-payload-type=1\nmsg-conv-msg2p-lib=/x/libmine.so'),
    /^t\.txt:8:20: "msg-conv-msg2p-lib" names "libmine\.so", which cannot be loaded here/,
  ],
  [
    'a file that is not there',
    sink('topic=t\nmsg-conv-payload-type=1\nmsg-broker-config=none.txt'),
    /^t\.txt:8:19: "msg-broker-config" is not there/,
  ],
  [
    'an unknown key in the file of the adaptor',
    sink('topic=t\nmsg-conv-payload-type=1\nmsg-broker-config=bad.txt'),
    /^t\.txt:8:19: bad\.txt:2:1: "enable-tsl" is unknown, did you mean "enable-tls"\?$/,
  ],
  [
    'TLS without a CA',
    sink('topic=t\nmsg-conv-payload-type=1\nmsg-broker-config=tls.txt'),
    /^t\.txt:8:19: tls\.txt:2:1: "enable-tls" needs tls-cafile or tls-capath/,
  ],
  [
    'a sink that sends nothing',
    sink('topic=t\ndisable-msgconv=1'),
    /^t\.txt:7:17: warning: \[sink0\] sends nothing: it has no converter/,
  ],
  [
    'an enable of yes',
    '[sink0]\nenable=yes\ntype=6',
    /^t\.txt:2:8: "enable" of \[sink0\] must be a whole number$/,
  ],
  ['a stray line', '[sink0]\n; off', /^t\.txt:2:1: the line is no group, no key=value and no comment/],
  [
    'nothing that concerns messages',
    '[osd]\nenable=1',
    /^t\.txt:1:1: the file has no enabled \[sinkN\] of type 6/,
  ],
  [
    'a consumer without topics',
    `[message-consumer0]\nenable=1\nproto-lib=libnvds_mqtt_proto.so\nconn-str=h;1`,
    /^t\.txt:1:1: \[message-consumer0\] has no subscribe-topic-list, name a topic$/,
  ],
]

for (const [what, text, line] of PROBLEMS) {
  test(`lintConfig() finds in a file of DeepStream ${what}`, async (t) => {
    const files = {
      't.txt': text,
      'bad.txt': '[message-broker]\nenable-tsl=1\n',
      'tls.txt': '[message-broker]\nenable-tls=1\n',
    }
    const { lines } = await lint(t, 't.txt', files)
    assert.ok(
      lines.some((each) => line.test(each)),
      lines.join('\n'),
    )
  })
}

test('B10: lintConfig() does not read a group that is not enabled', async (t) => {
  const { lines } = await lint(t, 't.txt', {
    't.txt': `${sink('topic=t\nmsg-conv-payload-type=1')}\n[sink1]\nenable=0\nmsg-brokr=1\n[message-consumer0]\nfoo=1`,
  })
  assert.deepEqual(lines, [])
})

test('lintConfig() uses one [message-converter] for sinks without one', async (t) => {
  const text = `${sink('topic=t\ndisable-msgconv=1\nmsg-broker-comp-id=2')}
[message-converter]
enable=1
msg-conv-payload-type=257
msg-conv-comp-id=2
`
  const { config, lines } = await lint(t, 't.txt', { 't.txt': text })
  assert.deepEqual(lines, [])
  const [route] = config?.routes ?? []
  assert.deepEqual([route?.payload, route?.converter?.componentId], ['deepstream-custom', 2])
})

test('lintConfig() never crashes, whatever becomes of a file of DeepStream', async (t) => {
  const folder = await folderOf(t, FILES)
  const change = fc.record({
    at: fc.nat(TXT.length),
    cut: fc.nat(12),
    put: fc.constantFrom('', '\n', '[', ']', '=', ';', '#', '\\', ' ', '1', '${', '"', '\0', 'é'),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(change, { maxLength: 4 }), fc.boolean(), async (changes, isYaml) => {
      let text = isYaml ? asYaml(TXT) : TXT
      for (const { at, cut, put } of changes) text = text.slice(0, at) + put + text.slice(at + cut)
      const source = { text, name: join(folder, isYaml ? 'x.yml' : 'x.txt'), folder }
      const { config, problems } = await lintConfig(source, { resolve: resolveTarget, env: {} })
      assert.equal(
        config === undefined,
        problems.some(({ severity }) => severity === 'error'),
      )
    }),
    { numRuns: 200 },
  )
})
