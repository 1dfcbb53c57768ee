import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'

import type { RedisServer } from '../../brokers/index.ts'
import { ANN, dial, message, publish, subscribe, take, text } from './support.ts'

/** What subscribing owes beyond the conformance suite, at a real broker. */
export function subscribingTests(started: () => RedisServer): void {
  const open = (options: Readonly<Record<string, unknown>> = {}) =>
    dial(started().url('plain'), { auth: ANN, options })
  const numbers = (topic: string, from: number, to: number) =>
    Array.from({ length: to - from }, (_, index) => message(topic, String(from + index)))
  const pending = async (topic: string, group: string) => {
    const [count = '0', , , ...members] = (await started().cli('XPENDING', topic, group)).split('\n')
    return { count: Number(count), members: members.filter((_, index) => index % 2 === 0) }
  }
  /** Ends every connection but that of whoever asks, without a word to the clients. */
  const killClients = () => started().cli('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')

  test('a group takes over what another client has left unfinished, once it is idle', async () => {
    const server = started()
    const link = await open({ claimIdleMs: 300 })
    await server.cli('XGROUP', 'CREATE', 's.idle', 'g', '$', 'MKSTREAM')
    await publish(link, numbers('s.idle', 0, 3))
    await server.cli('XREADGROUP', 'GROUP', 'g', 'ghost', 'COUNT', '3', 'STREAMS', 's.idle', '>')
    const reader = await subscribe(link, ['s.idle'], 'g')
    const taken = await take(reader, 3)
    assert.deepEqual(taken.map(text), ['0', '1', '2'])
    assert.ok(taken.every(({ redelivered }) => redelivered))
    await link.close()
    assert.equal((await pending('s.idle', 'g')).count, 0)
  })

  test('nobody takes over what is in work, however long', async () => {
    const server = started()
    const [one, two] = [await open({ claimIdleMs: 800 }), await open({ claimIdleMs: 800 })]
    const mine = await subscribe(one, ['s.work'], 'g')
    await publish(one, numbers('s.work', 0, 2))
    const held = await take(mine, 2, false)
    held[0]?.nack(3_600_000)
    const theirs = await subscribe(two, ['s.work'], 'g')
    let stolen = 0
    const watching = theirs.next().then(({ done }) => (stolen += done === true ? 0 : 1))
    const claims = async () => {
      return Number(/cmdstat_xautoclaim:calls=(\d+)/.exec(await server.cli('INFO', 'commandstats'))?.[1] ?? 0)
    }
    const before = await claims()
    // each of the two looks twice in 800 ms
    while ((await claims()) < before + 6) await setImmediate()
    assert.equal(stolen, 0)
    held[1]?.ack()
    await one.close()
    // given back, and left: it comes at once, although it was shown to be alive just now
    await watching
    assert.equal(stolen, 1)
    await two.close()
  })

  test('a member with a name finds its unfinished entries again after a cut, before anything new', async () => {
    const options = { consumer: 'me', readBlockMs: 100 }
    const first = await open(options)
    const reader = await subscribe(first, ['s.name'], 'g')
    await publish(first, numbers('s.name', 0, 3))
    const [, one] = await take(reader, 3, false)
    one?.ack()
    // the acknowledgement is at the broker
    while ((await pending('s.name', 'g')).count > 2) await setImmediate()
    await killClients()
    assert.equal((await first.lost).code, 'LINK_LOST')
    const second = await open(options)
    await publish(second, numbers('s.name', 3, 5))
    const taken = await take(await subscribe(second, ['s.name'], 'g'), 4)
    assert.deepEqual(taken.map(text), ['0', '2', '3', '4'])
    assert.deepEqual(
      taken.map(({ redelivered }) => redelivered),
      [true, true, false, false],
    )
    await second.close()
  })

  test('what a read of an earlier link was given that nobody hears of any more comes in order', async () => {
    const server = started()
    await server.cli('XGROUP', 'CREATE', 's.stray', 'g', '$', 'MKSTREAM')
    // the earlier link: its read waits at the broker when we come, and is served before ours
    const login = ['-p', String(server.port('plain')), '--user', 'ann', '--pass', ANN.password ?? '']
    const words = ['XREADGROUP', 'GROUP', 'g', 'me', 'BLOCK', '0', 'STREAMS', 's.stray', '>']
    const served = once(spawn('redis-cli', [...login, ...words], { stdio: 'ignore' }), 'exit')
    while (!(await server.cli('CLIENT', 'LIST')).includes('cmd=xreadgroup')) await setImmediate()
    const link = await open({ consumer: 'me', readBlockMs: 20_000 })
    const reader = await subscribe(link, ['s.stray'], 'g')
    await publish(link, numbers('s.stray', 0, 1))
    await served
    await publish(link, numbers('s.stray', 1, 3))
    const taken = await take(reader, 3)
    assert.deepEqual(taken.map(text), ['0', '1', '2'])
    await link.close()
  })

  test('whoever leaves a group releases what it has not finished at once', async () => {
    const [one, two] = [await open(), await open()]
    const mine = await subscribe(one, ['s.leave'], 'g', 3)
    await publish(one, numbers('s.leave', 0, 5))
    const held = await take(mine, 2, false)
    await mine.return?.()
    assert.deepEqual((await pending('s.leave', 'g')).members, ['backhaul-released'])
    // done after all: that counts, as long as nobody else has begun
    held[0]?.ack()
    while ((await pending('s.leave', 'g')).count > 2) await setImmediate()
    const theirs = await subscribe(two, ['s.leave'], 'g')
    assert.deepEqual((await take(theirs, 4)).map(text), ['1', '2', '3', '4'])
    await two.close()
    await one.close()
    assert.equal((await pending('s.leave', 'g')).count, 0)
  })

  test('an entry that was trimmed before it was finished is acknowledged, and comes to nobody', async () => {
    const options = { consumer: 'me', readBlockMs: 100 }
    const first = await open(options)
    await publish(first, numbers('s.trim', 0, 1))
    const reader = await subscribe(first, ['s.trim'], 'g')
    await publish(first, numbers('s.trim', 1, 3))
    await take(reader, 2, false)
    await killClients()
    await first.lost
    await started().cli('XTRIM', 's.trim', 'MAXLEN', '0')
    const second = await open(options)
    const again = await subscribe(second, ['s.trim'], 'g')
    await publish(second, numbers('s.trim', 3, 4))
    assert.deepEqual((await take(again, 1)).map(text), ['3'])
    await second.close()
    assert.equal((await pending('s.trim', 'g')).count, 0)
  })

  test('a group that is destroyed while it is read ends the link, and is made again by the next', async () => {
    const link = await open()
    await subscribe(link, ['s.gone'], 'g')
    await started().cli('XGROUP', 'DESTROY', 's.gone', 'g')
    const reason = await link.lost
    assert.equal(reason.code, 'LINK_LOST')
    assert.match(reason.brokerReason ?? '', /NOGROUP/)
    const next = await open({ start: 'earliest' })
    await publish(next, numbers('s.gone', 0, 1))
    assert.deepEqual((await take(await subscribe(next, ['s.gone'], 'g'), 1)).map(text), ['0'])
    await next.close()
  })

  test('two members of one group on one link share, and several streams of one member come together', async () => {
    const link = await open()
    const one = await subscribe(link, ['s.a', 's.b'], 'g', 2)
    const two = await subscribe(link, ['s.a'], 'g', 2)
    const members = (await started().cli('XINFO', 'CONSUMERS', 's.a', 'g')).match(/^backhaul-.*$/gm) ?? []
    assert.equal(new Set(members).size, 2)
    await publish(link, [...numbers('s.a', 0, 10), ...numbers('s.b', 10, 20)])
    const got: string[] = []
    const collect = async (reader: typeof one) => {
      for await (const delivery of reader) {
        delivery.ack()
        got.push(`${delivery.topic} ${text(delivery)}`)
        if (got.length === 20) await link.close()
      }
    }
    await Promise.all([collect(one), collect(two)])
    const wanted = [...numbers('s.a', 0, 10), ...numbers('s.b', 10, 20)]
    assert.deepEqual(
      got.toSorted(),
      wanted.map(({ topic, payload }) => `${topic} ${Buffer.from(payload).toString()}`).toSorted(),
    )
  })

  test('redis-cli writes what we read: its first field is the payload, and the others are headers', async () => {
    const server = started()
    const link = await open()
    const reader = await subscribe(link, ['s.foreign'])
    await server.cli('XADD', 's.foreign', '*', 'temperature', '20', 'unit', 'C', 'key', 'room')
    await server.cli(
      'XADD',
      's.foreign',
      '*',
      'key',
      'camera-1',
      'value',
      'x',
      'metadata',
      '{"a":1}',
      'headers',
      '{}',
    )
    const [plain, deepstream] = await take(reader, 2)
    assert.ok(plain !== undefined && deepstream !== undefined)
    assert.deepEqual([text(plain), plain.key, plain.id], ['20', 'room', undefined])
    assert.deepEqual({ ...plain.headers }, { unit: 'C' })
    assert.deepEqual([text(deepstream), deepstream.key], ['{"a":1}', 'camera-1'])
    assert.deepEqual({ ...deepstream.headers }, { value: 'x' })
    await link.close()
  })
}
