import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { promisify } from 'node:util'

import type { KafkaBroker } from '../../brokers/index.ts'
import { dial, message, publish, subscribe, take, text, tlsFrom, words } from './support.ts'

/** Foreign clients at the other end, over mutual TLS. */
export function interopTests(started: () => KafkaBroker): void {
  /** The identity of all of these tests, with rights on their topics. */
  async function edge() {
    const { pki, admin } = started()
    await admin.allow('edge-1', 'read topic i.*', 'write topic i.*', 'read group i.*')
    return { pair: await pki.client('edge-1'), ca: pki.ca }
  }
  async function link() {
    const { pair, ca } = await edge()
    return dial(started().url('mutual'), { tls: tlsFrom(ca, pair), options: { heartbeatIntervalMs: 100 } })
  }
  async function kcat(args: readonly string[], input?: string): Promise<string> {
    const { pair, ca } = await edge()
    const properties = [
      'security.protocol=ssl',
      `ssl.ca.location=${ca}`,
      `ssl.certificate.location=${pair.cert}`,
      `ssl.key.location=${pair.key}`,
    ]
    const all = ['-b', `127.0.0.1:${started().port('mutual')}`, ...properties.flatMap((one) => ['-X', one])]
    const running = promisify(execFile)('kcat', [...all, ...args], { timeout: 20_000 })
    running.child.stdin?.end(input ?? '')
    return (await running).stdout
  }

  test('kcat reads what we publish: partition, key, headers and bytes', async () => {
    await started().admin.createTopic('i.out', { partitions: 5 })
    const ours = await link()
    const keys = ['camera-1', 'camera-2', 'ü 日本', 'x'.repeat(50)]
    const batch = keys.map((key, index) =>
      message('i.out', `value ${index}`, { key, headers: { n: `h${index}` } }),
    )
    let outcomes = words(await publish(ours, batch))
    // the broker applies a new right a moment after it has acknowledged it; until then nothing is written
    while (outcomes.every((outcome) => outcome === 'refused topic NOT_AUTHORIZED')) {
      await setImmediate()
      outcomes = words(await publish(ours, batch))
    }
    assert.deepEqual(
      outcomes,
      batch.map(() => 'delivered'),
    )
    await ours.close()
    const format = '%p|%k|%s|%h\n'
    const lines = (await kcat(['-C', '-e', '-q', '-o', 'beginning', '-t', 'i.out', '-f', format]))
      .trim()
      .split('\n')
    // the same keys, partitioned by kcat itself
    await started().admin.createTopic('i.theirs', { partitions: 5 })
    await kcat(
      ['-P', '-t', 'i.theirs', '-K', '|'],
      keys.map((key, index) => `${key}|value ${index}\n`).join(''),
    )
    const theirs = (
      await kcat(['-C', '-e', '-q', '-o', 'beginning', '-t', 'i.theirs', '-f', '%p|%k|%s\n'])
    ).trim()
    assert.deepEqual(
      lines.map((line) => line.split('|').slice(0, 3).join('|')).toSorted(),
      theirs.split('\n').toSorted(),
    )
    for (const [index, { id }] of batch.entries()) {
      const line = lines.find((one) => one.includes(`value ${index}`)) ?? ''
      assert.ok(line.endsWith(`|backhaul-id=${id},n=h${index}`), line)
    }
  })

  test('we read what kcat publishes', async () => {
    await started().admin.createTopic('i.in')
    const ours = await link()
    const stream = await subscribe(ours, ['i.in'], 'i.readers')
    await kcat(['-P', '-t', 'i.in', '-K', '|', '-H', 'a=b', '-H', 'c=d'], 'k|hello\n')
    const [delivery] = await take(stream, 1)
    assert.ok(delivery !== undefined)
    assert.deepEqual(
      [text(delivery), delivery.key, { ...delivery.headers }, delivery.id],
      ['hello', 'k', { a: 'b', c: 'd' }, undefined],
    )
    await ours.close()
  })

  test("Kafka's own console clients are the other end", async () => {
    const broker = started()
    const { admin, pki } = broker
    await admin.createTopic('i.console')
    const { pair, ca } = await edge()
    const { readFile } = await import('node:fs/promises')
    const store = join(pki.folder, 'console.pem')
    await writeFile(store, `${await readFile(pair.key, 'utf8')}\n${await readFile(pair.cert, 'utf8')}`, {
      mode: 0o600,
    })
    const config = await pki.file(
      'console.properties',
      `security.protocol=SSL\nssl.keystore.type=PEM\nssl.keystore.location=${store}\nssl.truststore.type=PEM\nssl.truststore.location=${ca}\n`,
    )
    const server = ['--bootstrap-server', `127.0.0.1:${broker.port('mutual')}`, '--topic', 'i.console']
    const ours = await link()
    const stream = await subscribe(ours, ['i.console'])
    await broker.tool(
      'org.apache.kafka.tools.ConsoleProducer',
      [
        ...server,
        '--command-config',
        config,
        '--reader-property',
        'parse.key=true',
        '--reader-property',
        'key.separator=|',
      ],
      'from|java\n',
    )
    const [delivery] = await take(stream, 1)
    assert.deepEqual([delivery?.key, delivery && text(delivery)], ['from', 'java'])
    await publish(ours, [message('i.console', 'from us', { key: 'k' })])
    await ours.close()
    const limits = ['--from-beginning', '--max-messages', '2', '--timeout-ms', '20000']
    const format = ['--group', 'i.console', '--formatter-property', 'print.key=true']
    const words = [...server, '--command-config', config, ...limits, ...format]
    const printed = await broker.tool('org.apache.kafka.tools.consumer.ConsoleConsumer', words)
    assert.deepEqual(printed.trim().split('\n'), ['from\tjava', 'k\tfrom us'])
  })

  for (const [what, command] of Object.entries(OTHER_MEMBERS)) {
    test(`a group is shared with ${what}, whoever leads it`, async () => {
      const broker = started()
      const topic = `i.shared-${what.slice(0, 4).replaceAll(/\W/g, '')}`
      await broker.admin.createTopic(topic, { partitions: 4 })
      const ours = await dial(broker.url('plain'), { options: { heartbeatIntervalMs: 100 } })
      const stream = await subscribe(ours, [topic], topic)
      const seen: string[] = []
      const reading = (async () => {
        for await (const delivery of stream) {
          seen.push(text(delivery))
          delivery.ack()
        }
      })()
      const left = new AbortController()
      const theirs = command(broker, topic).finally(() => left.abort())
      for (let round = 0; !left.signal.aborted && round < 300; round += 1) {
        const batch = Array.from({ length: 8 }, (_, index) =>
          message(topic, `${round}`, { key: `k${index}` }),
        )
        await publish(ours, batch)
        await new Promise((resolve) => setTimeout(resolve, 100))
      }
      assert.equal((await theirs).trim().split('\n').length, 10)
      // it has left: everything is ours again
      const last = Array.from({ length: 8 }, (_, index) =>
        message(topic, `last ${index}`, { key: `k${index}` }),
      )
      await publish(ours, last)
      for (let tries = 0; seen.filter((word) => word.startsWith('last')).length < 8; tries += 1) {
        assert.ok(tries < 600, 'the rest did not come')
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
      await ours.close()
      await reading
    })
  }
}

type OtherMember = (broker: KafkaBroker, topic: string) => Promise<string>

const OTHER_MEMBERS = {
  "Kafka's own consumer, which knows cooperative groups": (broker, topic) => {
    const server = ['--bootstrap-server', `127.0.0.1:${broker.port('plain')}`]
    const words = [
      ...server,
      '--topic',
      topic,
      '--group',
      topic,
      '--max-messages',
      '10',
      '--timeout-ms',
      '40000',
    ]
    return broker.tool('org.apache.kafka.tools.consumer.ConsoleConsumer', words)
  },
  'kcat, which does not': async (broker, topic) => {
    const words = ['-b', `127.0.0.1:${broker.port('plain')}`, '-q', '-c', '10', '-G', topic, topic]
    return (await promisify(execFile)('kcat', words, { timeout: 60_000 })).stdout
  },
} satisfies Readonly<Record<string, OtherMember>>
