import assert from 'node:assert/strict'
import { test } from 'node:test'

import { readBroker } from '../../../src/kit/deepstream/broker.ts'
import { withValues } from '../../../src/kit/deepstream/broker-reader.ts'
import { parseKeyFile } from '../../../src/kit/key-file.ts'

function read(
  library: string,
  connection: string | undefined,
  config?: string,
  env: Record<string, string> = {},
) {
  const group =
    config === undefined
      ? undefined
      : parseKeyFile(`[message-broker]\n${config}`).groups.get('message-broker')
  const { target, problems } = readBroker({
    library: `/lib/libnvds_${library}_proto.so`,
    connection,
    group,
    env,
    folder: '/etc',
  })
  const errors = problems.filter(({ severity }) => severity === 'error').map(({ text }) => text)
  const warnings = problems.filter(({ severity }) => severity === 'warning').map(({ text }) => text)
  return { target, errors, warnings }
}

const LOGIN = 'username=u\npassword=p'

const CONNECTIONS: readonly (readonly [
  library: string,
  connection: string,
  url: string | undefined,
  config?: string,
])[] = [
  ['kafka', 'h;9092', 'kafka://h:9092'],
  ['kafka', 'h;9092;topic', 'kafka://h:9092'],
  ['kafka', ' h ; 9092 ', 'kafka://h:9092'],
  ['kafka', '::1;9092', 'kafka://[::1]:9092'],
  ['kafka', 'h;9092;t;x', undefined],
  ['kafka', ';9092', undefined],
  ['kafka', 'h;', undefined],
  ['kafka', 'h:9092', undefined],
  ['kafka', 'h;0', undefined],
  ['kafka', 'h;99999', undefined],
  ['mqtt', 'h;1883', 'mqtt://h:1883'],
  ['mqtt', 'h;1883;x', 'mqtt://h:1883'],
  ['mqtt', 'h;1883;x;y', undefined],
  ['mqtt', 'h', undefined],
  ['mqtt', '', undefined],
  ['amqp', 'h;5672', 'amqp://h:5672', LOGIN],
  ['amqp', 'h;5672;u', 'amqp://h:5672', 'password=p'],
  ['amqp', 'h;5672;u;p', 'amqp://h:5672'],
  ['amqp', 'h;5672;u;p;x', undefined, LOGIN],
  ['amqp', '', 'amqp://file:5673', `${LOGIN}\nhostname=file\nport=5673`],
  ['redis', 'h;6379', 'redis://h:6379'],
  ['redis', 'h;6379;x', undefined],
  ['redis', '', 'redis://file:6380', 'hostname=file\nport=6380'],
  ['azure', 'HostName=h.net;DeviceId=d;SharedAccessKey=a=b=', 'azure://h.net'],
  ['azure', 'HostName=h.net;DeviceId=d', undefined],
]

for (const [library, connection, url, config] of CONNECTIONS) {
  test(`B1: readBroker() ${url === undefined ? 'refuses' : 'takes'} ${JSON.stringify(connection)} for ${library}`, () => {
    const { target, errors } = read(library, connection, config)
    assert.equal(target.url, url)
    if (url === undefined) assert.ok(errors.length > 0)
    else assert.deepEqual(errors, [])
  })
}

const PROTO_CFG: readonly (readonly [
  what: string,
  value: string,
  options: object,
  warnings: number,
  errors: number,
])[] = [
  ['in quotes', '"acks=1;compression.codec=gzip"', { acks: '1', compression: 'gzip' }, 0, 0],
  ['without quotes', 'acks=1', { acks: '1' }, 1, 0],
  ['that is empty', '""', {}, 1, 0],
  ['with a blank after the quotes', '"acks=1" ', { acks: '1' }, 1, 0],
  ['with a blank after the semicolon', '"acks=1; client.id=x"', { acks: '1', clientId: 'x' }, 1, 0],
  ['with an equals sign in a value', '"client.id=a=b;"', { clientId: 'a=b' }, 0, 0],
  ['that is too long', `"client.id=${'x'.repeat(1100)}"`, {}, 0, 1],
  ['with an unknown setting', '"securty.protocol=ssl"', {}, 0, 1],
  ['with a setting of the library itself', '"linger.ms=5"', {}, 1, 0],
]

for (const [what, value, options, warnings, errors] of PROTO_CFG) {
  test(`B2: readBroker() reads a proto-cfg ${what}`, () => {
    const result = read('kafka', 'h;9092', `proto-cfg=${value}`)
    assert.deepEqual(result.target.options, { start: 'earliest', ...options })
    assert.deepEqual(
      [result.warnings.length, result.errors.length],
      [warnings, errors],
      JSON.stringify(result),
    )
  })
}

test('readBroker() turns TLS and SASL of librdkafka into ours', () => {
  const { target, errors } = read(
    'kafka',
    'h;9093',
    'proto-cfg="security.protocol=sasl_ssl;ssl.ca.location=ca.pem;ssl.certificate.location=/c.pem;ssl.key.location=/k.pem;ssl.key.password=${x};sasl.mechanism=PLAIN;sasl.username=u;sasl.password=p;bootstrap.servers=a:1,b:2"\nconsumer-proto-cfg="group.id=g"\nconsumer-group-id=other\npartition-key=sensorId',
  )
  assert.deepEqual(errors, [])
  assert.equal(target.url, 'kafkas://a:1,b:2')
  assert.deepEqual(target.tls, { ca: '/etc/ca.pem', cert: '/c.pem', key: '/k.pem', passphrase: '$${x}' })
  assert.deepEqual(withValues(target, {}).tls['passphrase'], '${x}')
  assert.deepEqual(target.auth, { user: 'u', password: 'p' })
  assert.deepEqual([target.group, target.partitionKey, target.options['sasl']], ['g', 'sensorId', 'PLAIN'])
})

test('readBroker() takes user and password from the environment before the file', () => {
  const env = { USER_MQTT: 'me', PASSWORD_MQTT: 'hidden' }
  const { target } = read('mqtt', 'h;1883', LOGIN, env)
  assert.deepEqual(target.auth, { user: '${env:USER_MQTT}', password: '${env:PASSWORD_MQTT}' })
  assert.deepEqual(withValues(target, env).auth, { user: 'me', password: 'hidden' })
  assert.deepEqual(read('mqtt', 'h;1883', LOGIN).target.auth, { user: 'u', password: 'p' })
})

/** Every key of the adaptors' files: what it becomes, or that it has no effect. */
const KEYS: readonly (readonly [library: string, line: string, effect: object | 'no effect'])[] = [
  ['kafka', 'partition-key=sensorId', { partitionKey: 'sensorId' }],
  ['kafka', 'consumer-group-id=g', { group: 'g' }],
  ['kafka', 'share-connection=1', { share: true }],
  ['kafka', 'producer-proto-cfg="acks=1"', { options: { start: 'earliest', acks: '1' } }],
  ['mqtt', 'client-id=c', { options: { keepAliveSeconds: 60, clientId: 'c' } }],
  ['mqtt', 'keep-alive=5', { options: { keepAliveSeconds: 5 } }],
  ['mqtt', 'enable-tls=1\ntls-cafile=ca.pem', { url: 'mqtts://h:1883', tls: { ca: '/etc/ca.pem' } }],
  [
    'mqtt',
    'enable-tls=1\ntls-cafile=/ca.pem\ntls-certfile=c\ntls-keyfile=/k',
    { tls: { ca: '/ca.pem', cert: '/etc/c', key: '/k' } },
  ],
  ['mqtt', 'loop-timeout=100', 'no effect'],
  ['mqtt', 'set-threaded=0', 'no effect'],
  [
    'amqp',
    `${LOGIN}\nexchange=e\namqp-heartbeat=9\namqp-framesize=4096`,
    { options: { exchange: 'e', heartbeatSeconds: 9, frameMaxBytes: 4096 } },
  ],
  ['amqp', `${LOGIN}\ntopic=t`, { defaultTopic: 't' }],
  [
    'redis',
    'payloadkey=p\nconsumername=c\nstreamsize=9',
    { options: { payloadField: 'p', consumer: 'c', maxStreamLength: 9 } },
  ],
  ['redis', 'consumergroup=g', { group: 'g' }],
  ['redis', 'flush-timeout=9', 'no effect'],
]

for (const [library, line, effect] of KEYS) {
  test(`readBroker() gives ${library}'s ${JSON.stringify(line)} its effect`, () => {
    const { target, warnings, errors } = read(library, 'h;1883', line)
    assert.deepEqual(errors, [])
    if (effect === 'no effect') assert.deepEqual(warnings, ['has no effect here'])
    else
      for (const [name, value] of Object.entries(effect))
        assert.deepEqual(Reflect.get(target, name), value, name)
  })
}
