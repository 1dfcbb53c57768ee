import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'

import type { Answer, DispatcherOptions } from '../../src/actions/index.ts'
import { Dispatcher, pingAction } from '../../src/actions/index.ts'
import type { Action, Command } from '../../src/contract/index.ts'
import { BackhaulError } from '../../src/contract/index.ts'
import { deferred } from '../../src/kit/deferred.ts'

function command(id: string, name = 'work'): Command {
  return { id, command: name, args: {} }
}

function action(run: Action['run'], name = 'work'): Action {
  return { name, summary: 'Does what the test says', run }
}

function dispatcher(actions: readonly Action[], options: Partial<DispatcherOptions> = {}): Dispatcher {
  return new Dispatcher({ actions, deviceId: 'edge-1', signal: new AbortController().signal, ...options })
}

function codeOf(answer: Answer): string {
  return answer.ok ? 'ok' : answer.error.code
}

test('dispatch() answers with what the action gives, and tells it the device', async () => {
  const work = action((_command, context) => Promise.resolve({ device: context.deviceId }))
  assert.deepEqual(await dispatcher([work]).dispatch(command('1')), {
    ok: true,
    result: { device: 'edge-1' },
  })
})

test('dispatch() answers an unknown command with the nearest and all known ones', async () => {
  const answer = await dispatcher([pingAction({ version: '1' })]).dispatch(command('1', 'pnig'))
  assert.equal(codeOf(answer), 'COMMAND_UNKNOWN')
  assert.match(answer.ok ? '' : answer.error.message, /"pnig".*did you mean "ping"\? It knows: ping/)
})

test('dispatch() answers with the error of an action, and keeps the text of a foreign one to itself', async () => {
  const invalid = new BackhaulError('COMMAND_INVALID', 'Cannot record: "seconds" is missing')
  const failing = action((failed) => Promise.reject(failed.id === '1' ? invalid : new Error('secret path')))
  const dispatch = dispatcher([failing])
  assert.deepEqual(await dispatch.dispatch(command('1')), { ok: false, error: invalid })
  const answer = await dispatch.dispatch(command('2'))
  assert.equal(codeOf(answer), 'INTERNAL')
  assert.doesNotMatch(answer.ok ? '' : answer.error.message, /secret/)
})

test('dispatch() carries an action out that throws at once like one that rejects', async () => {
  const throwing = action(() => {
    throw new Error('at once')
  })
  assert.equal(codeOf(await dispatcher([throwing]).dispatch(command('1'))), 'INTERNAL')
})

test('dispatch() carries an id out once, while it runs and afterwards', async () => {
  let runs = 0
  const gate = deferred()
  const work = action(async () => {
    runs += 1
    await gate.promise
    return runs
  })
  const dispatch = dispatcher([work])
  const first = dispatch.dispatch(command('same'))
  const second = dispatch.dispatch(command('same'))
  gate.resolve()
  const answers = [await first, await second, await dispatch.dispatch(command('same'))]
  assert.deepEqual(
    answers,
    Array.from({ length: 3 }, () => ({ ok: true, result: 1 })),
  )
})

test('dispatch() forgets the oldest answers beyond its bound', async () => {
  const runs: string[] = []
  const work = action((ran) => Promise.resolve(runs.push(ran.id)))
  const dispatch = dispatcher([work], { maxRemembered: 2 })
  for (const id of ['a', 'b', 'c', 'b', 'a']) await dispatch.dispatch(command(id))
  assert.deepEqual(runs, ['a', 'b', 'c', 'a'])
})

test('dispatch() runs a bounded number at once, and the others in their order', async () => {
  const gates = Array.from({ length: 6 }, () => deferred())
  const started: string[] = []
  const work = action(async (ran) => {
    started.push(ran.id)
    await gates[Number(ran.id)]?.promise
  })
  const dispatch = dispatcher([work], { maxAtOnce: 2 })
  const answers = gates.map((_, index) => dispatch.dispatch(command(String(index))))
  assert.deepEqual(started, ['0', '1'])
  gates[1]?.resolve()
  await answers[1]
  assert.deepEqual(started, ['0', '1', '2'])
  for (const gate of gates) gate.resolve()
  await Promise.all(answers)
  assert.deepEqual(started, ['0', '1', '2', '3', '4', '5'])
})

test('dispatch() answers TIMEOUT for an action that does not end, tells it, and goes on with the next', async () => {
  const told = deferred<unknown>()
  const work = action((ran, { signal }) => {
    if (ran.id !== 'stuck') return Promise.resolve('done')
    signal.addEventListener('abort', () => told.resolve(signal.reason))
    return told.promise
  })
  const dispatch = dispatcher([work], { timeoutMs: 20, maxAtOnce: 1 })
  const answers = await Promise.all([dispatch.dispatch(command('stuck')), dispatch.dispatch(command('next'))])
  assert.deepEqual(answers.map(codeOf), ['TIMEOUT', 'ok'])
  assert.ok((await told.promise) instanceof BackhaulError)
})

test('dispatch() answers ABORTED to what runs and waits when the agent stops', async () => {
  const stop = new AbortController()
  const never = action(() => new Promise(() => undefined))
  const dispatch = dispatcher([never], { signal: stop.signal, maxAtOnce: 1 })
  const answers = [dispatch.dispatch(command('runs')), dispatch.dispatch(command('waits'))]
  stop.abort()
  assert.deepEqual((await Promise.all(answers)).map(codeOf), ['ABORTED', 'ABORTED'])
  assert.equal(codeOf(await dispatch.dispatch(command('late'))), 'ABORTED')
})

test('dispatch() answers every command exactly once, whatever ids and actions come', async () => {
  const work = action((ran) =>
    ran.id.length % 2 === 0 ? Promise.resolve(ran.id) : Promise.reject(new Error('odd')),
  )
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.string(), fc.constantFrom('work', 'ping', 'nothing'))),
      async (commands) => {
        const dispatch = dispatcher([work, pingAction({ version: '1' })], { maxAtOnce: 2, maxRemembered: 3 })
        const answers = await Promise.all(commands.map(([id, name]) => dispatch.dispatch(command(id, name))))
        return answers.every((answer) => typeof answer.ok === 'boolean')
      },
    ),
  )
})
