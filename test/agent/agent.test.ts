import assert from 'node:assert/strict'
import { test } from 'node:test'

import { createAgent } from '../../src/agent/index.ts'
import { chunks, Cloud, configOf, detectionLine, LogBook, startAgent } from './fixture.ts'

const ROUTE = { from: 'camera', to: 'cloud', topic: 'cameras/{sensorId}', payload: 'json' }

function parts(url: string, outbox?: Record<string, unknown>): Record<string, unknown> {
  return {
    connections: { cloud: { url, ...(outbox !== undefined && { outbox }) } },
    inputs: { camera: { type: 'stdin' } },
    routes: [ROUTE],
  }
}

const FOREVER = new AbortController().signal

test('the agent sends what comes from stdin, and has finished when all of it is delivered', async (t) => {
  await using cloud = await Cloud.at('memory:stdin', 'cameras/#')
  const lines = ['a', 'b', 'a'].map((sensor, index) => `${detectionLine(sensor, index)}\n`)
  const { agent } = await startAgent(t, parts('memory:stdin'), { stdin: chunks(...lines, 'broken\n') })
  assert.equal(agent.finite, true)
  await agent.finished(FOREVER)
  const received = await cloud.messages(3)
  assert.deepEqual(received.map(({ topic }) => topic).toSorted(), ['cameras/a', 'cameras/a', 'cameras/b'])
  const { inputs, connections } = agent.health()
  assert.deepEqual(inputs['camera'], {
    state: 'ended',
    lines: 4,
    malformed: 1,
    tooLong: 0,
    accepted: 3,
    rejected: 0,
    error: undefined,
  })
  assert.equal(connections['cloud']?.account.delivered, 3)
  await agent.stop()
  assert.equal(agent.health().status, 'stopped')
})

test('the agent logs a malformed line at a bounded rate and tells how many it left out', async (t) => {
  const stdin = chunks('x\n'.repeat(1000))
  const { agent, log } = await startAgent(t, parts('memory:noise'), { stdin })
  await agent.finished(FOREVER)
  const told = log.lines.filter(({ text }) => text === 'line was not taken')
  assert.ok(told.length > 0 && told.length <= 10, String(told.length))
  assert.equal(agent.health().inputs['camera']?.malformed, 1000)
  await agent.stop()
})

test('a full outbox stops the reading of an input; stopping ends that wait', async (t) => {
  let given = 0
  async function* stdin(): AsyncGenerator<Uint8Array> {
    for (; given < 10_000; given += 1) yield Buffer.from(`${detectionLine('a', given)}\n`)
  }
  const { agent, log } = await startAgent(t, parts('mqtt://127.0.0.1:1', { maxMessages: 5 }), {
    stdin: stdin(),
  })
  await log.line(({ fields }) => fields['state'] === 'waiting')
  await new Promise((resolve) => setImmediate(resolve))
  assert.ok(given < 20, `${given} lines were read`)
  const { connections, status } = agent.health()
  assert.equal(status, 'degraded')
  assert.equal(connections['cloud']?.account.pending, 5)
  assert.equal(connections['cloud']?.error?.code, 'UNREACHABLE')
  await agent.stop({ drainTimeoutMs: 50 })
  assert.equal(agent.health().connections['cloud']?.account.dropped.closed, 5)
})

test('an input that cannot be read is the failure of a finite agent, after the others have ended', async (t) => {
  const { agent } = await startAgent(t, {
    connections: { cloud: { url: 'memory:missing' } },
    inputs: { camera: { type: 'stdin' }, file: { type: 'file', path: '/nowhere/x.jsonl' } },
    routes: [ROUTE],
  })
  await assert.rejects(agent.finished(FOREVER), { code: 'INPUT_FAILED', message: /nowhere/ })
  assert.equal(agent.health().inputs['file']?.state, 'failed')
  await agent.stop()
})

test('start() rejects a connection that can never work, and leaves nothing open', async () => {
  const config = configOf({
    connections: { good: { url: 'memory:never' }, bad: { url: 'mqtt://me:secret@broker.example' } },
    inputs: { camera: { type: 'tcp', port: 0 } },
    routes: [{ ...ROUTE, to: 'good' }],
  })
  const agent = createAgent(config, { logger: new LogBook() })
  await assert.rejects(agent.start(), { code: 'PLAINTEXT_CREDENTIALS' })
  await agent.stop()
})

test('health() shows what is insecure and what is volatile', async (t) => {
  const { agent } = await startAgent(t, {
    connections: {
      memory: { url: 'memory:flags' },
      plain: { url: 'mqtt://127.0.0.1:1', allowPlaintextCredentials: true },
      unverified: { url: 'mqtts://127.0.0.1:1', tls: { insecureSkipVerify: true } },
    },
  })
  const { connections, version, device } = agent.health()
  assert.deepEqual(
    Object.entries(connections).map(([name, { flags }]) => [name, ...flags]),
    [
      ['memory', 'volatile-outbox'],
      ['plain', 'insecure-transport', 'plaintext-credentials', 'volatile-outbox'],
      ['unverified', 'insecure-skip-verify', 'volatile-outbox'],
    ],
  )
  assert.equal(device, 'edge-1')
  assert.match(version, /^\d+\.\d+\.\d+/)
  await agent.stop()
})

test('stop() before, during and after start() resolves', async () => {
  const config = configOf({ connections: { cloud: { url: 'memory:early' } } })
  const agent = createAgent(config, { logger: new LogBook() })
  await agent.stop()
  const other = createAgent(config, { logger: new LogBook() })
  const starting = other.start()
  await other.stop()
  await starting
  await other.stop()
  assert.equal(other.health().status, 'stopped')
})
