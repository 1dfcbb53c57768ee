import assert from 'node:assert/strict'
import { test } from 'node:test'

import { createNvMsgBroker, NvMsgBrokerStatus } from '../../../src/client/nvmsgbroker/index.ts'
import { connected, LIB, Log, setUp } from './support.ts'

const { OK, ERR, NOT_SUPPORTED } = NvMsgBrokerStatus
const MQTT = `${LIB}/libnvds_mqtt_proto.so`
const MEMORY = 'libnvds_memory_proto.so'

function libraryFile(name: string): string {
  return `${LIB}/libnvds_${name}_proto.so`
}

test('A8: the version is 2.0, and a signature has 64 digits exactly where sharing is on', async (t) => {
  const { library, shared, alone, config } = await setUp(t)
  assert.equal(library.version(), '2.0')
  assert.match(library.signature('h;1', MQTT, shared), /^[0-9a-f]{64}$/)
  assert.equal(library.signature('h;1', MQTT, shared), library.signature('h;1', MQTT, shared))
  assert.notEqual(library.signature('h;2', MQTT, shared), library.signature('h;1', MQTT, shared))
  assert.equal(library.signature('h;1', MQTT, alone), '')
  assert.equal(library.signature('h;1', MQTT), '')
  for (const [name, connection] of [
    ['kafka', 'h;1'],
    ['redis', 'h;6379'],
    ['amqp', 'h;1;u;p'],
    ['azure', 'HostName=h;DeviceId=d;SharedAccessKey=k'],
  ] as const) {
    const of = (text: string) =>
      config(text).then((path) => library.signature(connection, libraryFile(name), path))
    assert.match(await of('share-connection = 1'), /^[0-9a-f]{64}$/, name)
    // MQTT alone looks at the first character only
    assert.equal(await of('share-connection = 1x'), '', name)
    assert.equal(await of('share-connection = 0'), '', name)
  }
  const secret = (password: string) => config(`share-connection = 1\nusername = u\npassword = ${password}`)
  assert.notEqual(
    library.signature('h;1', MQTT, await secret('one')),
    library.signature('h;1', MQTT, await secret('two')),
  )
})

test('A8: each library tells its protocol and version, in whatever folder it lies', async (t) => {
  const { library } = await setUp(t)
  const told = ['kafka', 'amqp', 'redis', 'mqtt', 'azure', 'azure_edge'].map((name) => {
    const { protocol, version } = library.adaptor(libraryFile(name)) ?? {}
    return `${protocol} ${version}`
  })
  assert.deepEqual(told, [
    'KAFKA 2.0',
    'AMQP 4.0',
    'REDIS 1.0',
    'MQTT 4.0',
    'AZURE_DEVICE_CLIENT 2.0',
    'AZURE_MODULE_CLIENT 1.0',
  ])
  assert.equal(library.adaptor('libother.so'), null)
})

test('createNvMsgBroker() without its file has the defaults, and says so', () => {
  const lines: string[] = []
  createNvMsgBroker({ settingsFile: '/nowhere/cfg.txt', onLog: (line) => lines.push(line) })
  assert.deepEqual(lines, [
    'nvmsgbroker init: Failed to parse configfile [/nowhere/cfg.txt]. Using default configs',
  ])
})

test('subscribe() leaves the other subscriptions as they are when one fails', async (t) => {
  const site = await setUp(t)
  const { library } = site
  const handle = await connected(site, 'nvmsgbroker-b5', MEMORY)
  const calls = new Log<string>()
  const callback = (_: number, payload: Uint8Array) => calls.add(Buffer.from(payload).toString())
  assert.equal(await library.subscribe(handle, ['a'], callback), OK)
  assert.equal(await library.subscribe(handle, ['x/#/y'], callback), ERR)
  assert.equal(library.sendAsync(handle, { topic: 'a', payload: '1' }), OK)
  assert.deepEqual(await calls.until(1), ['1'])
  await library.disconnect(handle)
})

test('B8: a library that is missing or unknown, and a file that is not there, give NULL', async (t) => {
  const { library, lines } = await setUp(t)
  assert.equal(await library.connect('h;1', null), null)
  assert.equal(await library.connect('h;1', '/lib/libother.so'), null)
  assert.equal(await library.connect('h;1', MQTT, null, '/nowhere/cfg.txt'), null)
  assert.equal(await library.connect('h', MQTT), null)
  assert.deepEqual(
    lines.map((line) => line.replace(/Error=.*/, 'Error=...')),
    [
      'Path to broker proto/adapter lib cant be NULL. Connection establishment failed',
      'unable to dlopen message adapter shared lib. Connection establishment failed. Error=...',
      'Connection creation failed for adapter library : MQTT',
      'Connection creation failed for adapter library : MQTT',
    ],
  )
})

test('sendAsync() and subscribe() refuse what the original refuses', async (t) => {
  const site = await setUp(t)
  const { library, lines } = site
  const handle = await connected(site, 'nvmsgbroker-refusals', MEMORY)
  assert.equal(library.sendAsync(null, { topic: 't', payload: 'x' }), ERR)
  assert.equal(library.sendAsync(handle, { topic: 't', payload: '' }), ERR)
  assert.equal(library.sendAsync(handle, { topic: '', payload: 'x' }), ERR)
  assert.equal(await library.subscribe(handle, [], () => undefined), ERR)
  assert.equal(await library.subscribe(handle, ['t'], null), ERR)
  assert.equal(await library.subscribe(null, ['t'], () => undefined), ERR)
  await library.disconnect(handle)
  assert.equal(await library.disconnect(null), ERR)
  assert.equal(await library.disconnect(handle), ERR)
  assert.equal(library.sendAsync(handle, { topic: 't', payload: 'x' }), ERR)
  assert.deepEqual([OK, ERR, NvMsgBrokerStatus.RECONNECTING, NOT_SUPPORTED], [0, 1, 2, 3])
  assert.deepEqual(lines, [
    'New Connection created successfully',
    'send_async() called with null handle',
    'send_async() invalid message packet sent for [MEMORY]',
    'send_async() : send failed. Error returned from adapter lib [MEMORY]',
    'subscribe: Error. topics pointer is NULL or num topics <=0 for [MEMORY]',
    'subscribe: Error. callback pointer cant be NULL',
    'Error: subscribe called with null handle',
    'Disconnection Success',
    'Error: disconnect called with null handle',
    'Error: Invalid handle passed to nv_msgbroker_disconnect',
    'send_async() called with invalid handle',
  ])
})

test('C12: forty connections that are ended at once do not hang', async (t) => {
  const { library } = await setUp(t)
  for (let count = 0; count < 40; count += 1) {
    assert.equal(await library.disconnect(await library.connect('nvmsgbroker-c12', MEMORY)), OK)
  }
})
