import assert from 'node:assert/strict'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { TestContext } from 'node:test'
import { test } from 'node:test'

import type { MemoryBroker } from '../../src/adaptors/memory/index.ts'
import { createMemoryBroker } from '../../src/adaptors/memory/index.ts'
import type { Link, Message } from '../../src/contract/index.ts'
import { deferred } from '../../src/kit/deferred.ts'
import { MemoryStore, Pump } from '../../src/outbox/index.ts'

const never = new AbortController().signal
const COUNT = 3000

function dial(broker: MemoryBroker): Promise<Link> {
  const options = { broker: 'x', clientId: undefined }
  return broker.dial({ options, tls: undefined, auth: undefined }, never)
}

/** A pump whose link is dialled again whenever it is lost, as a connection would. */
function pumpOver(broker: MemoryBroker, context: TestContext): Pump {
  const stop = new AbortController()
  const stopped = deferred()
  let link: Link | undefined
  const pump = new Pump({
    publish: (batch, settle, signal) => link?.publish(batch, settle, signal),
    store: new MemoryStore(),
    // the refused topic must have room for all that comes meanwhile
    limits: { maxMessages: 500, maxParkedMessages: COUNT },
    parkRetryMs: 5,
  })
  const keepLinked = async () => {
    while (!stop.signal.aborted) {
      link = await dial(broker)
      pump.linkUp(link.capabilities)
      await Promise.race([link.lost, stopped.promise])
      pump.linkDown()
      await link.close()
    }
  }
  const linked = keepLinked()
  context.after(async () => {
    stop.abort()
    stopped.resolve()
    await linked
    await pump.close()
  })
  return pump
}

/** Everything that arrives at the broker, in order. */
async function everything(broker: MemoryBroker, context: TestContext): Promise<string[]> {
  const arrived: string[] = []
  const options = { broker: 'x', clientId: 'reader' }
  const read = async () => {
    const link = await broker.dial({ options, tls: undefined, auth: undefined }, never)
    return { link, deliveries: await link.subscribe(['#'], { group: undefined, maxInWork: 100 }, never) }
  }
  let current = await read()
  const stop = new AbortController()
  const reading = (async () => {
    while (!stop.signal.aborted) {
      for await (const delivery of current.deliveries) {
        arrived.push(delivery.id ?? '')
        delivery.ack()
      }
      if (!stop.signal.aborted) current = await read()
    }
  })()
  context.after(async () => {
    stop.abort()
    await current.link.close()
    await reading
  })
  return arrived
}

function message(n: number): Message {
  const topic = ['a', 'b', 'c'][n % 3] ?? 'a'
  return { id: `${n}`, topic, key: `${n % 4}`, payload: new Uint8Array(n % 50), headers: undefined }
}

/** Waits for something that comes by itself; the test's own time limit ends it otherwise. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await nextTurn()
}

for (const keepsOrderAfterFailure of [true, false]) {
  const how = keepsOrderAfterFailure ? 'keeps order' : 'cannot keep order'
  test(`Pump loses nothing and keeps order over a broker that ${how}, cuts, fails and refuses`, async (context) => {
    const broker = createMemoryBroker({ capabilities: { keepsOrderAfterFailure, maxInFlight: 100 } })
    const arrived = await everything(broker, context)
    const pump = pumpOver(broker, context)
    let allow = () => {}
    for (let n = 0; n < COUNT; n += 1) {
      if (n % 500 === 250) broker.failNext(10)
      if (n % 700 === 350) broker.cut()
      if (n === 1000) allow = broker.refuse({ scope: 'topic', topic: 'b' })
      if (n === 2000) {
        // a right that comes back while refused messages are on their way may let others overtake them
        await until(() => pump.account.parked > 0 && pump.account.pending === pump.account.parked)
        allow()
      }
      await pump.add(message(n))
    }
    await pump.drain()
    await until(() => new Set(arrived).size === COUNT)
    const last = new Map<string, number>()
    for (const id of new Set(arrived)) {
      const { topic, key } = message(Number(id))
      assert.ok(Number(id) > (last.get(`${topic} ${key}`) ?? -1), `${id} arrived in order`)
      last.set(`${topic} ${key}`, Number(id))
    }
    const { accepted, delivered, pending, resent } = pump.account
    assert.deepEqual({ accepted, delivered, pending }, { accepted: COUNT, delivered: COUNT, pending: 0 })
    assert.ok(resent > 0)
  })
}
