import assert from 'node:assert/strict'
import { test } from 'node:test'

import type { Reply } from '../../src/codec/index.ts'
import type { Action } from '../../src/contract/index.ts'
import { deferred } from '../../src/kit/deferred.ts'
import { Cloud, startAgent } from './fixture.ts'

function parts(url: string, policy?: { allow: string[] }): Record<string, unknown> {
  return {
    connections: { cloud: { url } },
    commands: [
      {
        connection: 'cloud',
        topics: ['devices/{device}/#'],
        replyTopic: 'devices/{device}/replies',
        ...(policy !== undefined && { policy }),
      },
    ],
  }
}

function short(reply: Reply): [id: string | undefined, outcome: string] {
  return [reply.id, reply.status === 'ok' ? 'ok' : reply.error.code]
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b)
}

const COMMANDS = 'devices/edge-1/commands'

test('the agent answers a ping on the reply topic, and is not confused by its own replies', async (t) => {
  const { agent, log } = await startAgent(t, parts('memory:ping'))
  await log.line(({ text }) => text === 'commands are taken')
  await using cloud = await Cloud.at('memory:ping', 'devices/+/replies')
  await cloud.send(COMMANDS, '{"id":"1","command":"ping"}')
  const [reply] = await cloud.replies(1)
  assert.ok(reply?.status === 'ok')
  assert.deepEqual([reply.id, reply.command, reply.device], ['1', 'ping', 'edge-1'])
  assert.deepEqual(Object.keys(Object(reply.result)), ['deviceId', 'time', 'uptimeSeconds', 'version'])
  await cloud.send(COMMANDS, '{"id":"2","command":"ping"}')
  await cloud.replies(2)
  assert.deepEqual(agent.health().commands, [
    {
      connection: 'cloud',
      subscribed: true,
      received: 2,
      answered: 2,
      failed: 0,
      lag: undefined,
      error: undefined,
    },
  ])
  await agent.stop()
  assert.equal(cloud.received.length, 2)
})

test('the agent answers what is unknown, malformed or not allowed with an error', async (t) => {
  const { agent, log } = await startAgent(t, parts('memory:wrong', { allow: ['ping', 'pong'] }))
  await log.line(({ text }) => text === 'commands are taken')
  await using cloud = await Cloud.at('memory:wrong', 'devices/+/replies')
  const sent = [
    '{"id":"1","command":"pong"}',
    '{"id":"2","command":"reboot"}',
    '{"id":"3"}',
    'no json',
    '',
    '{"id":"4","command":"ping"}',
  ]
  for (const payload of sent) await cloud.send(COMMANDS, payload)
  const replies = await cloud.replies(sent.length)
  assert.deepEqual(replies.map((reply) => short(reply).join(' ')).toSorted(compare), [
    ' COMMAND_INVALID',
    ' COMMAND_INVALID',
    '1 COMMAND_UNKNOWN',
    '2 NOT_AUTHORIZED',
    '3 COMMAND_INVALID',
    '4 ok',
  ])
  assert.equal(agent.health().commands[0]?.failed, 5)
  await agent.stop()
})

test('the agent carries a repeated command out once and answers it each time', async (t) => {
  let runs = 0
  const count: Action = { name: 'count', summary: 'Counts', run: () => Promise.resolve((runs += 1)) }
  const { agent, log } = await startAgent(t, parts('memory:repeat'), { actions: [count] })
  await log.line(({ text }) => text === 'commands are taken')
  await using cloud = await Cloud.at('memory:repeat', 'devices/+/replies')
  for (let index = 0; index < 3; index += 1) await cloud.send(COMMANDS, '{"id":"same","command":"count"}')
  const replies = await cloud.replies(3)
  assert.deepEqual(
    replies.map((reply) => reply.status === 'ok' && reply.result),
    [1, 1, 1],
  )
  await agent.stop()
})

test('stop() tells a running action, answers its command and delivers the reply', async (t) => {
  const started = deferred()
  const endless: Action = {
    name: 'endless',
    summary: 'Never ends by itself',
    run: () => {
      started.resolve()
      return new Promise(() => undefined)
    },
  }
  const { agent, log } = await startAgent(t, parts('memory:stop'), { actions: [endless] })
  await log.line(({ text }) => text === 'commands are taken')
  await using cloud = await Cloud.at('memory:stop', 'devices/+/replies')
  await cloud.send(COMMANDS, '{"id":"1","command":"endless"}')
  await started.promise
  await agent.stop({ drainTimeoutMs: 400 })
  assert.deepEqual((await cloud.replies(1)).map(short), [['1', 'ABORTED']])
})

test('a command that was answered while the agent stopped does not come again to the next one', async (t) => {
  const started = deferred()
  const slow: Action = {
    name: 'slow',
    summary: 'Ends when it is told to',
    run: (_command, { signal }) => {
      started.resolve()
      return new Promise((resolve) => signal.addEventListener('abort', () => resolve('done')))
    },
  }
  const first = await startAgent(t, parts('memory:acks?clientId=edge-1'), { actions: [slow] })
  await first.log.line(({ text }) => text === 'commands are taken')
  await using cloud = await Cloud.at('memory:acks', 'devices/+/replies')
  await cloud.send(COMMANDS, '{"id":"1","command":"slow"}')
  await started.promise
  await first.agent.stop({ drainTimeoutMs: 400 })
  const second = await startAgent(t, parts('memory:acks?clientId=edge-1'))
  await second.log.line(({ text }) => text === 'commands are taken')
  await cloud.send(COMMANDS, '{"id":"2","command":"ping"}')
  assert.deepEqual(
    (await cloud.replies(2)).map(({ id }) => id),
    ['1', '2'],
  )
  assert.equal(second.agent.health().commands[0]?.received, 1)
})
