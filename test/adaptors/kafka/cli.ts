import assert from 'node:assert/strict'
import { test } from 'node:test'

import type { KafkaBroker } from '../../brokers/index.ts'
import { cli, FakeProcess } from '../../cli/fake-io.ts'

const DEADLINE = ['--deadline', '15s']

/** What the command line shows of a refusal. */
interface Refusal {
  readonly words: (broker: KafkaBroker) => Promise<readonly string[]> | readonly string[]
  readonly code: number
  readonly says: RegExp
}

const address = (broker: KafkaBroker, kind: 'plain' | 'mutual' | 'saslTls', user = '') =>
  broker.url(kind).replace('//', `//${user}`)

const REFUSALS: Readonly<Record<string, Refusal>> = {
  'an unknown topic': {
    words: (broker) => [
      'pub',
      broker.url('plain'),
      'k.nowhere',
      '--message',
      'x',
      '-o',
      'topicTimeoutMs=200',
    ],
    code: 69,
    says: /REFUSED: .*the broker has no such topic, create it/,
  },
  'no right to write to a topic': {
    words: async (broker) => [
      'pub',
      broker.url('mutual'),
      'k.closed',
      '--message',
      'x',
      ...(await identity(broker, 'k-none')),
    ],
    code: 77,
    says: /NOT_AUTHORIZED: .*this identity has no right to write to any topic, allow Write on the topic/,
  },
  'no right to write to this topic': {
    words: async (broker) => [
      'pub',
      broker.url('mutual'),
      'k.closed',
      '--message',
      'x',
      ...(await identity(broker, 'k-edge')),
    ],
    code: 77,
    says: /NOT_AUTHORIZED: .*"k\.closed": this identity has no right to the topic, allow it/,
  },
  'no right to read a topic': {
    words: async (broker) => ['sub', broker.url('mutual'), 'k.closed', ...(await identity(broker, 'k-none'))],
    code: 77,
    says: /NOT_AUTHORIZED: .*"k\.closed": this identity has no right to the topic, allow it/,
  },
  'no right to a group': {
    words: async (broker) => [
      'sub',
      broker.url('mutual'),
      'k.open',
      '--group',
      'k-closed',
      ...(await identity(broker, 'k-edge')),
    ],
    code: 77,
    says: /NOT_AUTHORIZED: .*"k-closed": this identity has no right to the group, allow Read/,
  },
  'a message that is too large for the topic': {
    words: (broker) => ['pub', broker.url('plain'), 'k.small', '--message', 'x'.repeat(5000)],
    code: 65,
    says: /MESSAGE_TOO_LARGE: .*send less or raise the topic's max\.message\.bytes/,
  },
  'a wrong password': {
    words: async (broker) => [
      'pub',
      address(broker, 'saslTls', 'ann@'),
      'k.open',
      '--message',
      'x',
      '--ca',
      broker.pki.ca,
      '--password-file',
      await broker.pki.file('wrong', 'hunter2-wrong\n'),
    ],
    code: 77,
    says: /BAD_CREDENTIALS: .*the broker refused the user or password, check them at both sides/,
  },
  'no password': {
    words: (broker) => ['sub', broker.url('saslTls'), 'k.open', '--ca', broker.pki.ca],
    code: 77,
    says: /BAD_CREDENTIALS: .*the listener demands a user and password \(.*PLAIN.*\), give them/,
  },
  'no client certificate': {
    words: (broker) => ['pub', broker.url('mutual'), 'k.open', '--message', 'x', '--ca', broker.pki.ca],
    code: 77,
    says: /CLIENT_CERTIFICATE_REQUIRED: .*it demands a client certificate/,
  },
  'plaintext to a TLS port': {
    words: (broker) => ['pub', broker.url('mutual').replace('kafkas', 'kafka'), 'k.open', '--message', 'x'],
    code: 76,
    says: /TLS_REQUIRED: .*use the address form with TLS/,
  },
  'a mistyped property': {
    words: (broker) => [
      'pub',
      broker.url('plain'),
      'k.open',
      '--message',
      'x',
      '-o',
      'proto-cfg="security.protocl=ssl"',
    ],
    code: 64,
    says: /INVALID_OPTIONS: .*did you mean "security\.protocol"\?/,
  },
}

/** `pub`, `sub` and `check --connect` at a real Kafka. */
export function cliTests(started: () => KafkaBroker): void {
  test('pub and sub over mutual TLS: several servers in the address, key, headers and every byte', async () => {
    const broker = started()
    await prepare(broker)
    const edge = await identity(broker, 'k-edge')
    const servers = `kafkas://127.0.0.1:1,127.0.0.1:${broker.port('mutual')}`
    const reader = new FakeProcess()
    const reading = reader.run('sub', servers, 'k.open', '--count', '3', '--json', ...edge)
    await reader.until(/subscribed to k\.open/)
    const writer = new FakeProcess()
    writer.stdin.end('one\ntwo\n')
    const words = ['--message-key', 'gate', '--header', 'source=gate']
    assert.equal(await writer.run('pub', servers, 'k.open', ...words, ...edge), 0)
    const bytes = await broker.pki.file('bytes', new Uint8Array([0, 255, 10]))
    assert.equal((await cli('pub', servers, 'k.open', '--file', bytes, ...edge)).code, 0)
    assert.equal(await reading, 0)
    assert.match(
      writer.err,
      /^connected: Kafka to 127\.0\.0\.1:\d+, TLSv1\.3 .* as "CN=k-edge"\n2 of 2 messages acknowledged\n$/,
    )
    const lines = reader.out
      .trim()
      .split('\n')
      .map((line): unknown => JSON.parse(line))
    const common = {
      topic: 'k.open',
      key: 'gate',
      headers: { source: 'gate' },
      redelivered: false,
      retained: false,
    }
    const withoutId = lines.map((line) =>
      Object.fromEntries(Object.entries(Object(line)).filter(([name]) => name !== 'id')),
    )
    assert.deepEqual(withoutId, [
      { ...common, payload: 'one' },
      { ...common, payload: 'two' },
      { topic: 'k.open', redelivered: false, retained: false, payloadBase64: 'AP8K' },
    ])
  })

  test('sub goes on where its group was, in plaintext', async () => {
    const broker = started()
    await broker.admin.createTopic('k.group')
    const url = broker.url('plain')
    const writer = new FakeProcess()
    writer.stdin.end('1\n2\n3\n')
    assert.equal(await writer.run('pub', url, 'k.group', ...DEADLINE), 0)
    const read = (count: string) =>
      cli(
        'sub',
        url,
        'k.group',
        '--group',
        'k.group',
        '-o',
        'start=earliest',
        '--count',
        count,
        '-q',
        ...DEADLINE,
      )
    assert.deepEqual(await read('2'), { code: 0, out: '1\n2\n', err: '' })
    assert.deepEqual(await read('1'), { code: 0, out: '3\n', err: '' })
  })

  test('a password comes from a file; one in the address works, is warned about once, and is told nowhere', async () => {
    const broker = started()
    await prepare(broker)
    const file = await broker.pki.file('password', 'secret\n')
    const url = `${address(broker, 'saslTls', 'ann@')}/?sasl=SCRAM-SHA-512`
    const words = ['k.open', '--message', 'x', '--ca', broker.pki.ca, ...DEADLINE]
    const byFile = await cli('pub', url, ...words, '--password-file', file)
    assert.equal(byFile.code, 0, byFile.err)
    assert.doesNotMatch(byFile.err, /warning/)
    const inAddress = await cli('pub', url.replace('ann@', 'ann:secret@'), ...words)
    assert.equal(inAddress.code, 0, inAddress.err)
    assert.equal(inAddress.err.match(/warning: .*use --password-file/g)?.length, 1)
    assert.ok(!inAddress.err.includes('secret'))
    const both = await cli('pub', url.replace('ann@', 'ann:secret@'), ...words, '--password-file', file)
    assert.equal(both.code, 64)
  })

  test('check --connect tells for each connection who answered, or what is wrong and what mends it', async () => {
    const broker = started()
    const { pki } = broker
    const { cert, key } = await pki.client('k-edge')
    const file = await pki.file(
      'check.yml',
      `version: 1
device: { id: edge-1 }
connections:
  right:
    url: kafkas://127.0.0.1:1,127.0.0.1:${broker.port('mutual')}
    tls: { ca: ${pki.ca}, cert: ${cert}, key: ${key} }
  stranger:
    url: ${address(broker, 'saslTls')}
    tls: { ca: ${pki.ca} }
    auth: { user: ann, password: hunter2-wrong }
`,
    )
    const { code, out, err } = await cli('check', file, '--connect', '--deadline', '5s')
    assert.equal(code, 77)
    assert.match(
      out,
      /^right: connected, Kafka to 127\.0\.0\.1:\d+, TLSv1\.3 .*broker "CN=localhost", as "CN=k-edge"$/m,
    )
    assert.match(out, /^stranger: BAD_CREDENTIALS: Cannot log in .* check them at both sides/m)
    assert.ok(!`${out}${err}`.includes('hunter2'))
  })

  for (const [what, { words, code, says }] of Object.entries(REFUSALS)) {
    test(`${what} is told in words`, async () => {
      await prepare(started())
      const found = await cli(...(await words(started())), ...DEADLINE)
      assert.match(found.err, says)
      assert.equal(found.code, code)
      assert.ok(!found.err.includes('hunter2'))
    })
  }
}

async function identity(broker: KafkaBroker, name: string): Promise<readonly string[]> {
  const { cert, key } = await broker.pki.client(name)
  return ['--ca', broker.pki.ca, '--cert', cert, '--key', key, ...DEADLINE]
}

const prepared = new WeakSet<KafkaBroker>()

async function prepare(broker: KafkaBroker): Promise<void> {
  if (prepared.has(broker)) return
  prepared.add(broker)
  const { admin } = broker
  for (const name of ['k.open', 'k.closed']) await admin.createTopic(name)
  await admin.createTopic('k.small', { configs: { 'max.message.bytes': '2000' } })
  await admin.allow('k-edge', 'read topic k.open', 'write topic k.open')
  await admin.allow('ann', 'write topic k.open')
}
