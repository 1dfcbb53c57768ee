import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'

import { NvMsgBrokerStatus } from '../../../src/client/nvmsgbroker/index.ts'
import { freePorts } from '../../brokers/index.ts'
import { again, connected, Log, sent, setUp } from './support.ts'

const { OK, ERR, RECONNECTING } = NvMsgBrokerStatus

/** A broker that the rows run against. */
export interface RowBroker {
  /** The connection string: `host;port`, and what else the protocol wants. */
  readonly address: string
  /** How many connections to it are open, and how many there were in all. */
  readonly connections: () => { readonly open: number; readonly all: number }
  /** Lines of an adaptor's file with which a lost subscriber is missed soon. */
  readonly quick: string
  /** Makes a topic that nobody else uses. */
  readonly topic: (label: string) => Promise<string>
  /** Ends it at once. */
  readonly kill: () => Promise<void>
  /** Brings it back. */
  readonly restart: () => Promise<void>
}

/** The rows of DeepStream's acceptance that hold for every protocol, at one broker. */
export function rowTests(library: string, started: () => RowBroker): void {
  const address = () => started().address

  test('B1: a whole connection string connects; what is incomplete, or too long, gives NULL', async (t) => {
    const site = await setUp(t)
    const [host = '', port = '', ...more] = address().split(';')
    assert.equal(await site.library.disconnect(await connected(site, address(), library)), OK)
    const rest = more.map((field) => `;${field}`).join('')
    for (const text of [
      `;${port}${rest}`,
      `${host};${rest}`,
      host,
      `${host}:${port}`,
      `${address()};a;b`,
      '',
      null,
    ])
      assert.equal(await site.library.connect(text, library), null, String(text))
  })

  test('B4: two who share have one connection, which ends with the last of them', async (t) => {
    const site = await setUp(t)
    const topic = await started().topic('b4')
    const first = await connected(site, address(), library, undefined, site.shared)
    assert.equal(await sent(site.library, first, topic, 'x'), OK)
    const { all } = started().connections()
    const second = await connected(site, address(), library, undefined, site.shared)
    assert.equal(first, second)
    assert.equal(await sent(site.library, second, topic, 'x'), OK)
    assert.equal(started().connections().all, all)
    const alone = await connected(site, address(), library, undefined, site.alone)
    assert.notEqual(alone, first)
    assert.ok(started().connections().all > all)
    assert.equal(await site.library.disconnect(alone), OK)
    assert.equal(await site.library.disconnect(first), OK)
    assert.equal(await sent(site.library, second, topic, 'x'), OK)
    assert.equal(await site.library.disconnect(second), OK)
    // the proxy hears of a close a moment later
    for (let look = 0; look < 500 && started().connections().open > 0; look += 1) await pause(10)
    assert.equal(started().connections().open, 0)
    assert.equal(await site.library.disconnect(second), ERR)
    assert.equal(await sent(site.library, second, topic, 'x'), ERR)
    assert.match(
      site.lines.join('\n'),
      /Reusing an already created connection with signature\[[0-9a-f]{64}\]/,
    )
  })

  test('B5: every callback of a topic is called once, also those that come later', async (t) => {
    const site = await setUp(t)
    const [a, b, nobody] = [
      await started().topic('b5a'),
      await started().topic('b5b'),
      await started().topic('b5c'),
    ]
    const [first, second] = await Promise.all([
      connected(site, address(), library, undefined, site.shared),
      connected(site, address(), library, undefined, site.shared),
    ])
    const calls = new Log<string>()
    const callback = (_: number, payload: Uint8Array, topic: string, context: unknown) =>
      calls.add(`${String(context)} ${topic === a ? 'a' : 'b'} ${Buffer.from(payload).toString()}`)
    assert.equal(await site.library.subscribe(first, [a], callback, 'first'), OK)
    assert.equal(await site.library.subscribe(second, [a], callback, 'second'), OK)
    assert.equal(await site.library.subscribe(second, [a], callback, 'second'), OK)
    assert.equal(await site.library.subscribe(second, [b], callback, 'later'), OK)
    for (const topic of [a, nobody, b]) assert.equal(await sent(site.library, first, topic, 'x'), OK)
    assert.deepEqual((await calls.until(3)).toSorted(), ['first a x', 'later b x', 'second a x'])
    await site.library.disconnect(first)
    await site.library.disconnect(second)
    assert.equal(calls.items.length, 3)
  })

  test('B6: an outage is told as RECONNECTING once and OK once, and the subscription lives on', async (t) => {
    const site = await setUp(t)
    const topic = await started().topic('b6')
    const states = new Log<number>()
    const told = (_: unknown, status: number) => states.add(status)
    const handle = await connected(site, address(), library, told, await site.config(started().quick))
    const received = new Log<string>()
    await site.library.subscribe(handle, [topic], (status, payload) => {
      if (status === OK) received.add(Buffer.from(payload).toString())
    })
    assert.equal(await sent(site.library, handle, topic, 'before'), OK)
    await received.until(1)
    await started().kill()
    assert.deepEqual(await states.until(1), [RECONNECTING])
    assert.equal(site.library.sendAsync(handle, { topic, payload: 'lost' }), ERR)
    assert.equal(await site.library.subscribe(handle, ['other'], () => undefined), ERR)
    await started().restart()
    assert.deepEqual(await states.until(2), [RECONNECTING, OK])
    // a subscription without a memory misses what is sent before it is back; what was not yet confirmed comes again
    await again(
      async () => assert.equal(await sent(site.library, handle, topic, 'again'), OK),
      () => received.items.includes('again'),
    )
    assert.deepEqual([...new Set(received.items)], ['before', 'again'])
    await site.library.disconnect(handle)
    assert.deepEqual(states.items, [RECONNECTING, OK])
    assert.match(site.lines.join('\n'), /nvmsgbroker reconnect: Success/)
  })

  test('B7: an outage beyond the limit is told as ERR once; it goes on dialling all the same', async (t) => {
    const site = await setUp(t, 'auto-reconnect=1\nretry-interval=1\nmax-retry-limit=1\n')
    const topic = await started().topic('b7')
    const states = new Log<number>()
    const handle = await connected(site, address(), library, (_, status) => states.add(status))
    await started().kill()
    assert.deepEqual(await states.until(2), [RECONNECTING, ERR])
    assert.equal(site.library.sendAsync(handle, { topic, payload: 'x' }), ERR)
    assert.equal(await site.library.subscribe(handle, [topic], () => undefined), ERR)
    assert.match(site.lines.join('\n'), /Reached max reconnect retries/)
    await started().restart()
    assert.deepEqual(await states.until(3), [RECONNECTING, ERR, OK])
    assert.equal(await sent(site.library, handle, topic, 'x'), OK)
    await site.library.disconnect(handle)
  })

  test('B8: a broker that is not there at the start gives NULL', async (t) => {
    const site = await setUp(t)
    const [port] = await freePorts(1)
    const away = address().replace(/;\d+/, `;${port}`)
    assert.equal(await site.library.connect(away, library), null)
    assert.equal(site.errors.length, 1)
    assert.match(site.lines.join('\n'), /^Connection creation failed for adapter library : [A-Z]+$/m)
  })
}
