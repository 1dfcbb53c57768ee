import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'

import type { MemoryBroker } from '../../../src/adaptors/memory/index.ts'
import { createMemoryBroker, memory, memoryAdaptor } from '../../../src/adaptors/memory/index.ts'
import type { Delivery, Link, Message, Outcome } from '../../../src/contract/index.ts'
import { parseAddress } from '../../../src/kit/address.ts'

const never = new AbortController().signal
const links: Link[] = []

// an open link keeps the process alive, as a socket does
afterEach(async () => {
  await Promise.all(links.splice(0).map((link) => link.close()))
})

async function dial(broker: MemoryBroker, clientId?: string): Promise<Link> {
  const link = await broker.dial(
    { options: { broker: 'x', clientId }, tls: undefined, auth: undefined },
    never,
  )
  links.push(link)
  return link
}

function message(topic: string, id: string, key?: string, text = id): Message {
  return { id, topic, payload: Buffer.from(text), key, headers: undefined }
}

function publish(link: Link, messages: readonly Message[], signal = never): Promise<Outcome[]> {
  const outcomes: Outcome[] = []
  return new Promise((resolve) => {
    let left = messages.length
    link.publish(
      messages,
      (index, outcome) => {
        outcomes[index] = outcome
        left -= 1
        if (left === 0) resolve(outcomes)
      },
      signal,
    )
  })
}

function kinds(outcomes: readonly Outcome[]): string[] {
  return outcomes.map((outcome) => (outcome.kind === 'refused' ? outcome.scope : outcome.kind))
}

async function take(stream: AsyncIterableIterator<Delivery>, count: number): Promise<Delivery[]> {
  const taken: Delivery[] = []
  while (taken.length < count) {
    const { done, value } = await stream.next()
    if (done === true) break
    taken.push(value)
  }
  return taken
}

test('refuse() refuses messages, topics and links by its rule, until it is lifted', async () => {
  const broker = createMemoryBroker()
  const link = await dial(broker)
  const lift = broker.refuse({ scope: 'topic', topic: 'secret/#' })
  broker.refuse({ scope: 'message', when: ({ id }) => id === 'bad' })
  const sent = [message('secret/a', '1'), message('open', 'bad'), message('open', '2')]
  assert.deepEqual(kinds(await publish(link, sent)), ['topic', 'message', 'delivered'])
  await assert.rejects(link.subscribe(['secret/+'], { group: undefined, maxInWork: 1 }, never), {
    code: 'NOT_AUTHORIZED',
    scope: 'topic',
  })
  lift()
  assert.deepEqual(kinds(await publish(link, sent)), ['delivered', 'message', 'delivered'])
  broker.refuse({ scope: 'link', when: ({ id }) => id === 'poison' })
  assert.deepEqual(kinds(await publish(link, [message('open', 'poison'), message('open', '3')])), [
    'link',
    'failed',
  ])
  assert.equal((await link.lost).code, 'REFUSED')
})

test('failNext() fails later messages of the key too, unless order after a failure is not promised', async () => {
  const batch = [
    message('t', '1', 'a'),
    message('t', '2', 'b'),
    message('t', '3', 'a'),
    message('u', '4', 'a'),
  ]
  const ordered = createMemoryBroker()
  ordered.failNext(1)
  assert.deepEqual(kinds(await publish(await dial(ordered), batch)), [
    'failed',
    'delivered',
    'failed',
    'delivered',
  ])
  const loose = createMemoryBroker({ capabilities: { keepsOrderAfterFailure: false } })
  loose.failNext(1)
  assert.deepEqual(kinds(await publish(await dial(loose), batch)), [
    'failed',
    'delivered',
    'delivered',
    'delivered',
  ])
})

test('an aborted batch takes later messages of its keys in other batches with it', async () => {
  const broker = createMemoryBroker()
  const link = await dial(broker)
  const abort = new AbortController()
  const first = publish(link, [message('t', '1', 'a')], abort.signal)
  const second = publish(link, [message('t', '2', 'a'), message('t', '3', 'b')])
  abort.abort()
  assert.deepEqual(kinds(await first), ['failed'])
  assert.deepEqual(kinds(await second), ['failed', 'delivered'])
})

test('holdAcknowledgements() lets messages through and settles nothing until it is over', async () => {
  const broker = createMemoryBroker()
  const link = await dial(broker)
  const stream = await link.subscribe(['t'], { group: undefined, maxInWork: 10 }, never)
  broker.holdAcknowledgements(true)
  let settled = false
  const outcomes = publish(link, [message('t', '1')]).finally(() => (settled = true))
  const [first] = await take(stream, 1)
  assert.equal(first?.id, '1')
  assert.equal(settled, false)
  broker.holdAcknowledgements(false)
  assert.deepEqual(kinds(await outcomes), ['delivered'])
})

test('down() ends links and refuses dials, up() has the durable queues', async () => {
  const broker = createMemoryBroker()
  const link = await dial(broker)
  const stream = await link.subscribe(['t'], { group: 'g', maxInWork: 10 }, never)
  await publish(link, [message('t', '1')])
  await take(stream, 1)
  broker.down()
  assert.equal((await link.lost).code, 'LINK_LOST')
  await assert.rejects(dial(broker), { code: 'UNREACHABLE' })
  broker.up()
  const again = await dial(broker)
  const [back] = await take(await again.subscribe(['t'], { group: 'g', maxInWork: 10 }, never), 1)
  assert.equal(back?.redelivered, true)
})

test('freeze() ends a link after its keep-alive, and acknowledgements that it swallowed do not count', async () => {
  const broker = createMemoryBroker({ keepAliveMs: 20 })
  const link = await dial(broker, 'me')
  const stream = await link.subscribe(['t'], { group: undefined, maxInWork: 10 }, never)
  await publish(link, [message('t', '1')])
  const [first] = await take(stream, 1)
  broker.freeze(true)
  first?.ack()
  assert.equal((await link.lost).code, 'TIMEOUT')
  broker.freeze(false)
  const again = await dial(broker, 'me')
  const [back] = await take(await again.subscribe(['t'], { group: undefined, maxInWork: 10 }, never), 1)
  assert.equal(back?.id, '1')
})

test('a second link of a lasting identity ends the first one', async () => {
  const broker = createMemoryBroker()
  const first = await dial(broker, 'me')
  const other = await dial(broker, 'you')
  await dial(broker, 'me')
  assert.equal((await first.lost).code, 'LINK_LOST')
  assert.equal(broker.links, 2)
  await other.close()
})

test('what is given back goes to its old place', async () => {
  const broker = createMemoryBroker()
  const link = await dial(broker)
  const stream = await link.subscribe(['t'], { group: 'g', maxInWork: 2 }, never)
  await publish(
    link,
    [1, 2, 3, 4].map((n) => message('t', String(n))),
  )
  const [one, two] = await take(stream, 2)
  two?.nack()
  one?.nack()
  const again: (string | undefined)[] = []
  for (let count = 0; count < 4; count += 1) {
    const [delivery] = await take(stream, 1)
    again.push(delivery?.id)
    delivery?.ack()
  }
  assert.deepEqual(again, ['1', '2', '3', '4'])
})

test('a full broker fails messages, and takes them when there is room again', async () => {
  const broker = createMemoryBroker({ maxQueuedBytes: 10 })
  const link = await dial(broker)
  const stream = await link.subscribe(['t'], { group: undefined, maxInWork: 10 }, never)
  assert.deepEqual(kinds(await publish(link, [message('t', '1', 'a', '12345678')])), ['delivered'])
  assert.deepEqual(kinds(await publish(link, [message('t', '2', 'a', '12345678')])), ['failed'])
  const [first] = await take(stream, 1)
  first?.ack()
  await publish(link, [message('other', '0')])
  assert.deepEqual(kinds(await publish(link, [message('t', '2', 'a', '12345678')])), ['delivered'])
})

test('memory finds brokers by name, and memoryAdaptor() always leads to its own', async () => {
  const own = createMemoryBroker()
  const tried = ['memory:a', 'memory:a', 'memory:b'].map((text) => memory.options(parseAddress(text), {}))
  const dialled = await Promise.all(
    tried.map((options) => memory.dial({ options, tls: undefined, auth: undefined }, never)),
  )
  const [first, second, third] = dialled
  const reader = await first?.subscribe(['#'], { group: undefined, maxInWork: 10 }, never)
  assert.ok(reader && second && third)
  await publish(third, [message('t', 'from b')])
  await publish(second, [message('t', 'from a')])
  assert.equal((await take(reader, 1))[0]?.id, 'from a')
  const adaptor = memoryAdaptor(own)
  const options = adaptor.options(parseAddress('memory:a?clientId=me'), {})
  assert.deepEqual(options, { broker: 'a', clientId: 'me' })
  const link = await adaptor.dial({ options, tls: undefined, auth: undefined }, never)
  assert.equal(own.links, 1)
  await Promise.all([...dialled, link].map((open) => open.close()))
})

test('options() refuses a host, a missing name and unknown options', () => {
  for (const text of ['memory://host/x', 'memory:', 'mqtt://host']) {
    assert.throws(() => memory.options(parseAddress(text), {}), { code: 'INVALID_ADDRESS' })
  }
  assert.throws(() => memory.options(parseAddress('memory:x?clientID=me'), {}), {
    code: 'INVALID_OPTIONS',
    message: /did you mean "clientId"/,
  })
})
