import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'

import type { Clock } from '../../src/contract/index.ts'
import { systemClock } from '../../src/kit/system-clock.ts'
import { startMosquitto, without } from '../brokers/index.ts'
import { chunks, detectionLine, startAgent } from './fixture.ts'

/** Timers come twenty times as early, so that nobody waits for what is looked at every few seconds. */
const fastClock: Clock = {
  now: () => systemClock.now(),
  monotonic: () => systemClock.monotonic(),
  after: (delayMs, task, unref) => systemClock.after(delayMs / 20, task, unref),
}

test(
  'a topic that the access list forbids is parked: health shows it, and other topics go on',
  { skip: without('mosquitto'), timeout: 30_000 },
  async (t) => {
    await using broker = await startMosquitto({ acl: { '': ['write cameras/gate'] } })
    const { agent, log } = await startAgent(
      t,
      {
        connections: { cloud: { url: broker.url('plain') } },
        inputs: { camera: { type: 'stdin' } },
        routes: [{ from: 'camera', to: 'cloud', topic: 'cameras/{sensorId}', payload: 'json' }],
      },
      {
        stdin: chunks(...['yard', 'gate', 'gate'].map((name, n) => `${detectionLine(name, n)}\n`)),
        clock: fastClock,
      },
    )
    const told = await log.line(({ fields }) =>
      JSON.stringify(fields['flags'] ?? '').includes('parked-topics'),
    )
    assert.equal(told.level, 'warn')
    // a topic may be parked before the broker has answered for the others
    while ((agent.health().connections['cloud']?.account.delivered ?? 0) < 2) await setImmediate()
    const { connections, status } = agent.health()
    assert.equal(status, 'degraded')
    assert.deepEqual(connections['cloud']?.flags, ['insecure-transport', 'volatile-outbox', 'parked-topics'])
    const { delivered, parked, pending } = connections['cloud'].account
    assert.deepEqual({ delivered, parked, pending }, { delivered: 2, parked: 1, pending: 1 })
  },
)
