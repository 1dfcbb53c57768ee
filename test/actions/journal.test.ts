import assert from 'node:assert/strict'
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { test } from 'node:test'

import type { Answer } from '../../src/actions/index.ts'
import { CommandJournal, Dispatcher } from '../../src/actions/index.ts'
import type { Action, Command } from '../../src/contract/index.ts'

function fileFor(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'backhaul-journal-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return join(folder, 'commands.journal')
}

function command(id: string): Command {
  return { id, command: 'work', args: {} }
}

/** A dispatcher over a journal, and what its one action did. */
function over(journal: CommandJournal) {
  const acted: string[] = []
  const accepted: string[] = []
  const work: Action = {
    name: 'work',
    summary: 'Notes that it ran',
    run: ({ id }) => {
      acted.push(id)
      return Promise.resolve({ did: id })
    },
  }
  const dispatcher = new Dispatcher({
    actions: [work],
    deviceId: 'd',
    signal: new AbortController().signal,
    journal,
  })
  const send = (id: string): Promise<Answer> =>
    dispatcher.dispatch(command(id), { channel: 'c', replyId: `r-${id}`, accepted: () => accepted.push(id) })
  return { acted, accepted, send }
}

test('dispatch() with a journal answers a repeat after a restart from it, and does not act again', async (t) => {
  const file = fileFor(t)
  const first = await CommandJournal.open({ file })
  const before = over(first)
  assert.deepEqual(await before.send('1'), { ok: true, result: { did: '1' } })
  assert.deepEqual([before.acted, before.accepted], [['1'], ['1']])
  await first.close()
  const second = await CommandJournal.open({ file })
  const after = over(second)
  assert.deepEqual(await after.send('1'), { ok: true, result: { did: '1' } })
  assert.deepEqual([after.acted, after.accepted], [[], []])
  await second.close()
})

test('dispatch() answers what a crash interrupted as that', async (t) => {
  const file = fileFor(t)
  const first = await CommandJournal.open({ file })
  await first.begin(command('1'), 'c', 'r-1')
  await first.close()
  const second = await CommandJournal.open({ file })
  assert.deepEqual(
    second.unreplied('c').map(({ id, replyId }) => [id, replyId]),
    [['1', 'r-1']],
  )
  const { acted, send } = over(second)
  const answer = await send('1')
  assert.equal(answer.ok ? '' : answer.error.code, 'COMMAND_INTERRUPTED')
  assert.deepEqual(acted, [])
  await second.replied('1')
  assert.deepEqual(second.unreplied('c'), [])
  await second.close()
})

test('CommandJournal passes over a torn or damaged line', async (t) => {
  const file = fileFor(t)
  const first = await CommandJournal.open({ file })
  for (const id of ['1', '2', '3']) await first.begin(command(id), 'c', 'r')
  await first.close()
  const lines = readFileSync(file, 'utf8').split('\n')
  writeFileSync(file, [lines[0], lines[1]?.replace('"2"', '"9"'), lines[2]].join('\n'))
  appendFileSync(file, '\n1234abcd {"begun":{"id":"to')
  const second = await CommandJournal.open({ file })
  assert.deepEqual(
    ['1', '2', '3', '9'].map((id) => second.find(id) !== undefined),
    [true, false, true, false],
  )
  await second.begin(command('4'), 'c', 'r')
  await second.close()
  const third = await CommandJournal.open({ file })
  assert.ok(third.find('4') !== undefined)
  await third.close()
})

test('CommandJournal remembers the latest commands, and none is forgotten before its reply', async (t) => {
  const file = fileFor(t)
  const journal = await CommandJournal.open({ file, maxCommands: 10 })
  await journal.begin(command('open'), 'c', 'r')
  for (let n = 0; n < 60; n += 1) {
    await journal.begin(command(`${n}`), 'c', 'r')
    await journal.end(`${n}`, { ok: true, result: null })
    await journal.replied(`${n}`)
  }
  assert.ok(readFileSync(file, 'utf8').split('\n').length < 80)
  await journal.close()
  const again = await CommandJournal.open({ file, maxCommands: 10 })
  assert.equal(again.find('0'), undefined)
  assert.ok(again.find('59')?.hasReplied)
  assert.ok(again.find('open') !== undefined)
  await again.close()
})

test('dispatch() does not act when the journal cannot be written', async (t) => {
  const journal = await CommandJournal.open({ file: fileFor(t) })
  journal.begin = () => Promise.reject(new Error('the disk is full'))
  const { acted, accepted, send } = over(journal)
  const answer = await send('1')
  assert.equal(answer.ok, false)
  assert.deepEqual([acted, accepted], [[], []])
  await journal.close()
})
