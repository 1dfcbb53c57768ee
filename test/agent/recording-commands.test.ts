import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { test } from 'node:test'

import { CommandJournal } from '../../src/actions/index.ts'
import { RecordingCommands } from '../../src/agent/recording-commands.ts'
import type { Action, Delivery } from '../../src/contract/index.ts'
import { ulids } from '../../src/kit/ulid.ts'
import { Cloud, startAgent } from './fixture.ts'

const STOP = '{"command":"stop-recording","sensor":{"id":"7"}}'

function delivery(change: Partial<Delivery> & { readonly text?: string } = {}): Delivery {
  const { text = STOP, ...rest } = change
  return {
    topic: 'c2d',
    payload: Buffer.from(text),
    key: undefined,
    headers: undefined,
    id: undefined,
    position: undefined,
    redelivered: false,
    retained: false,
    ack: () => undefined,
    nack: () => undefined,
    ...rest,
  }
}

/** What a device does with deliveries: the ids of the commands that it reads. */
function reader(journal?: CommandJournal): (change?: Partial<Delivery>) => string {
  const commands = new RecordingCommands({
    connection: 'cloud',
    known: ['start-recording', 'stop-recording'],
    journal,
    nextId: ulids(() => Date.now()),
  })
  return (change) => {
    const decoded = commands.decode(delivery(change))
    assert.ok(decoded.ok)
    return decoded.command.id
  }
}

async function journalFile(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'backhaul-recordings-'))
  t.after(() => rm(folder, { recursive: true }))
  return join(folder, 'commands.journal')
}

test('decode() takes the id of the sender where there is one', () => {
  const id = reader()
  assert.equal(id({ id: 'theirs' }), 'theirs')
  assert.notEqual(id({ id: 'a\nb' }), 'a\nb')
})

test('decode() knows a message again by a unique position, in each life of the process', () => {
  const at = (name: string) => ({ position: { name, unique: true } })
  const first = reader()
  const second = reader()
  assert.equal(second(at('0/17/5')), first(at('0/17/5')))
  assert.notEqual(second(at('0/18/5')), first(at('0/17/5')))
  assert.notEqual(second({ ...at('0/17/5'), topic: 'other' }), first(at('0/17/5')))
})

test('decode() takes equal commands for new ones unless they are redelivered at the same packet id', () => {
  const id = reader()
  const at = (name: string, redelivered: boolean) => ({ position: { name, unique: false }, redelivered })
  const one = id(at('1', false))
  const two = id(at('2', false))
  assert.notEqual(two, one)
  assert.equal(id(at('1', true)), one)
  // another session, which counts from 1 again
  const again = id(at('1', false))
  assert.notEqual(again, one)
  assert.equal(id(at('1', true)), again)
  // lost before it was seen here
  assert.ok(![one, two, again].includes(id(at('3', true))))
})

test('decode() gives every message of QoS 0 an id of its own', () => {
  const id = reader()
  const ids = [id(), id(), id()]
  assert.equal(new Set(ids).size, 3)
  assert.equal(id({ redelivered: true }), ids[2])
})

test('decode() finds what is redelivered after a restart in the journal, and the latest of equal ones', async (t) => {
  const file = await journalFile(t)
  const position = { name: '9', unique: false }
  const journal = await CommandJournal.open({ file })
  const before = reader(journal)
  const ids = [before({ position }), before({ position })]
  for (const id of ids) await journal.begin({ id, command: 'stop-recording', args: {} }, 'c', 'r')
  await journal.close()
  const reopened = await CommandJournal.open({ file })
  assert.equal(reader(reopened)({ position, redelivered: true }), ids[1])
  assert.ok(!ids.includes(reader(reopened)({ position: { ...position, name: '8' }, redelivered: true })))
  assert.ok(!ids.includes(reader(reopened)({ position })))
  await reopened.close()
})

test('the agent carries out two equal commands twice, journals them, and waits for no reply topic', async (t) => {
  const stateFolder = join(await journalFile(t), '..')
  const sources: unknown[] = []
  const action = (name: string): Action => ({
    name,
    summary: 'Notes its source',
    run: ({ args }) => Promise.resolve(sources.push(args['source'])),
  })
  const parts = {
    connections: { cloud: { url: 'memory:recordings' } },
    commands: [{ connection: 'cloud', topics: ['c2d'], format: 'deepstream', sensors: { gate: 3 } }],
  }
  const options = { stateFolder, actions: [action('start-recording'), action('stop-recording')] }
  const { agent, log } = await startAgent(t, parts, options)
  await log.line(({ text }) => text === 'commands are taken')
  await using cloud = await Cloud.at('memory:recordings', 'nothing')
  const gate = '{"start":"2026-01-02T03:04:05.250Z","sensor":{"id":" gate "}}'
  for (const text of [gate, gate, STOP, '{"start":"soon","sensor":{"id":"gate"}}'])
    await cloud.send('c2d', text)
  const refused = async (part: string) =>
    log.line(({ text, fields }) => text === 'command failed' && String(fields['error']).includes(part))
  await refused('"7" is not in the list of sensors')
  await refused('"start" is no time')
  await agent.stop()
  assert.deepEqual(sources, [3, 3])
  assert.deepEqual(
    agent.health().commands.map(({ received, answered, failed }) => [received, answered, failed]),
    [[4, 0, 2]],
  )
  const journal = await CommandJournal.open({ file: join(stateFolder, 'edge-1', 'commands.journal') })
  assert.deepEqual(journal.unreplied('cloud '), [])
  await journal.close()
})
