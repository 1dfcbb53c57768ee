import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'

import type { Action } from '../../src/contract/index.ts'
import type { TestBroker } from '../brokers/index.ts'
import { startMosquitto } from '../brokers/index.ts'
import type { FaultProxy } from '../fault/proxy.ts'
import { startProxy } from '../fault/proxy.ts'
import { Log } from '../client/nvmsgbroker/support.ts'
import { Cloud, startAgent } from './fixture.ts'

// A recording command that a real broker delivers twice, since its acknowledgement was lost on the line, and an equal one after it.

const STOP = '{"command":"stop-recording","sensor":{"id":"7"}}'

describe('recording commands that come again', () => {
  let running: { broker: TestBroker; proxy: FaultProxy } | undefined
  const started = () => {
    if (running === undefined) throw new Error('The broker is not started')
    return running
  }
  before(async () => {
    const broker = await startMosquitto()
    running = { broker, proxy: await startProxy({ host: '127.0.0.1', port: broker.port('plain') }) }
  })
  after(async () => {
    await running?.proxy.close()
    await running?.broker.stop()
  })

  for (const version of ['5', '3.1.1']) {
    for (const life of ['the same', 'the next']) {
      test(`act once, in ${life} life of the agent, and an equal new one acts (MQTT ${version})`, async (t) => {
        const { broker, proxy } = started()
        const stateFolder = await mkdtemp(join(tmpdir(), 'backhaul-redelivery-'))
        t.after(() => rm(stateFolder, { recursive: true }))
        const topic = `c2d/${version}/${life.replace(' ', '-')}`
        const options = { version, clientId: topic.replaceAll(/\W/g, ''), sessionExpirySeconds: 300 }
        const parts = {
          connections: { cloud: { url: `mqtt://127.0.0.1:${proxy.port}`, options } },
          commands: [{ connection: 'cloud', topics: [topic], format: 'deepstream' }],
        }
        const ran = new Log<string>()
        const action: Action = {
          name: 'stop-recording',
          summary: 'Notes that it ran, and loses the acknowledgement the first time',
          async run({ id }) {
            if (ran.items.length === 0) {
              if (life === 'the next') await proxy.refuse(true)
              proxy.cut()
              proxy.delay(0)
            }
            ran.add(id)
          },
        }
        const first = await startAgent(t, parts, { stateFolder, actions: [action] })
        await first.log.line(({ text }) => text === 'commands are taken')
        await using cloud = await Cloud.at(broker.url('plain'), 'nothing')
        // what the agent writes from now on is on its way for a while, and is lost when the line is cut
        proxy.delay(300)
        await cloud.send(topic, STOP)
        await ran.until(1)
        let agent = first.agent
        if (life === 'the next') {
          await agent.stop({ drainTimeoutMs: 100 })
          await proxy.refuse(false)
          const second = await startAgent(t, parts, { stateFolder, actions: [action] })
          agent = second.agent
          await second.log.line(({ text }) => text === 'commands are taken')
        }
        await cloud.send(topic, STOP)
        await ran.until(2)
        await agent.stop()
        // the first one twice, and the new one
        assert.equal(agent.health().commands[0]?.received, life === 'the next' ? 2 : 3)
        assert.equal(new Set(ran.items).size, 2)
        assert.equal(ran.items.length, 2)
      })
    }
  }
})
