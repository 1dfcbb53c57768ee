import assert from 'node:assert/strict'
import { test } from 'node:test'

import type { RedisServer } from '../../brokers/index.ts'
import { ANN, dial, message, publish, subscribe, take, text, words } from './support.ts'

/** What publishing owes beyond the conformance suite, at a real broker. */
export function publishingTests(started: () => RedisServer): void {
  const open = (options: Readonly<Record<string, unknown>> = {}) =>
    dial(started().url('plain'), { auth: ANN, options })
  const xadds = async () => {
    const stats = await started().cli('INFO', 'commandstats')
    const [, calls = '0', rejected = '0'] = /cmdstat_xadd:calls=(\d+).*rejected_calls=(\d+)/.exec(stats) ?? []
    return Number(calls) + Number(rejected)
  }

  test('publish() writes the payload first, then id, key and headers', async () => {
    const link = await open()
    const sent = message('p.fields', 'hello', { key: 'ü', headers: { a: '1', b: '"' } })
    await publish(link, [sent, message('p.fields', '')])
    const raw = await started().cli('--json', 'XRANGE', 'p.fields', '-', '+')
    const entries: unknown = JSON.parse(raw)
    assert.ok(Array.isArray(entries))
    const fields = entries.map((entry: unknown) => (Array.isArray(entry) ? entry[1] : undefined))
    const headers = '{"a":"1","b":"\\""}'
    assert.deepEqual(fields[0], ['metadata', 'hello', 'id', sent.id, 'key', 'ü', 'headers', headers])
    assert.deepEqual(fields[1], ['metadata', '', 'id', `id-${Number(sent.id.slice(3)) + 1}`])
    await link.close()
  })

  test('publish() names the fields as it is told, and leaves out those without a name', async () => {
    const link = await open({ payloadField: 'value', idField: '', headersField: '' })
    const { carriesId, carriesKey, carriesHeaders } = link.capabilities
    assert.deepEqual([carriesId, carriesKey, carriesHeaders], [false, true, false])
    await publish(link, [message('p.names', 'hello', { key: 'k', headers: { a: '1' } })])
    const [, ...lines] = (await started().cli('XRANGE', 'p.names', '-', '+')).split('\n')
    assert.deepEqual(lines, ['value', 'hello', 'key', 'k'])
    await link.close()
  })

  test('publish() trims streams to about the length that is asked for', async () => {
    const link = await open({ maxStreamLength: 500 })
    for (let round = 0; round < 5; round += 1) {
      await publish(
        link,
        Array.from({ length: 1000 }, () => message('p.trim', 'x')),
      )
    }
    const length = Number(await started().cli('XLEN', 'p.trim'))
    assert.ok(length >= 500 && length <= 700, `the stream has ${length} entries`)
    await link.close()
  })

  test('publish() keeps to its database', async () => {
    const link = await dial(`${started().url('plain')}/3`, { auth: ANN })
    await publish(link, [message('p.database', 'x')])
    assert.equal(await started().cli('-n', '3', 'XLEN', 'p.database'), '1')
    assert.equal(await started().cli('XLEN', 'p.database'), '0')
    await link.close()
  })

  test('publish() fails while the memory is full, tries one message at a time, and keeps the order when it is not', async () => {
    const server = started()
    const link = await open()
    const reader = await subscribe(link, ['p.full'], undefined, 1000)
    const batch = Array.from({ length: 100 }, (_, index) => message('p.full', String(index)))
    const sendAll = async () => {
      const sending = [0, 25, 50, 75].map((from) => publish(link, batch.slice(from, from + 25)))
      return (await Promise.all(sending)).flat()
    }
    await server.cli('CONFIG', 'SET', 'maxmemory', '1')
    const outcomes = await sendAll()
    assert.deepEqual(new Set(words(outcomes)), new Set(['failed']))
    const [first] = outcomes
    assert.ok(first?.kind === 'failed')
    assert.match(first.error.message, /has used up its memory, raise its maxmemory, or limit streams/)
    assert.match(first.error.brokerReason ?? '', /^OOM /)
    const before = await xadds()
    assert.deepEqual(new Set(words(await sendAll())), new Set(['failed']))
    assert.equal((await xadds()) - before, 1, 'more than one message was tried')
    await server.cli('CONFIG', 'SET', 'maxmemory', '0')
    assert.deepEqual(new Set(words(await sendAll())), new Set(['delivered']))
    assert.deepEqual(
      (await take(reader, batch.length)).map(text),
      batch.map((_, index) => String(index)),
    )
    await link.close()
  })

  test('publish() goes on behind a message that is refused while one is tried alone', async () => {
    const server = started()
    await server.cli('SET', 'p.text', 'x')
    const link = await open()
    await server.cli('CONFIG', 'SET', 'maxmemory', '1')
    assert.deepEqual(words(await publish(link, [message('p.after', '0')])), ['failed'])
    await server.cli('CONFIG', 'SET', 'maxmemory', '0')
    const batch = [message('p.text', '1'), message('', '2'), message('p.after', '3'), message('p.after', '4')]
    assert.deepEqual(words(await publish(link, batch)), [
      'refused topic REFUSED',
      'refused topic INVALID_TOPIC',
      'delivered',
      'delivered',
    ])
    await link.close()
  })

  test('publish() of more than the socket takes at once waits for it, and arrives in order', async () => {
    const link = await open()
    const reader = await subscribe(link, ['p.large'], undefined, 1000)
    const batch = Array.from({ length: 60 }, (_, index) => message('p.large', String(index).padEnd(300_000)))
    const sending = batch.map((one) => publish(link, [one]))
    const arrived = (await take(reader, batch.length)).map((delivery) => Number(text(delivery)))
    assert.deepEqual(
      arrived,
      batch.map((_, index) => index),
    )
    assert.deepEqual(new Set(words((await Promise.all(sending)).flat())), new Set(['delivered']))
    await link.close()
    await started().cli('DEL', 'p.large')
  })
}
