import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'

import { Cloud, detectionLine } from '../agent/fixture.ts'
import { startMosquitto, without } from '../brokers/index.ts'
import { configFile } from './config-file.ts'

const MAIN = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url))
const skip = without('mosquitto')

/** The real command line in a process of its own. */
class Child {
  readonly process: ChildProcess
  readonly ended: Promise<unknown[]>
  out = ''
  err = ''
  readonly #written = new EventEmitter()

  constructor(t: TestContext, ...args: string[]) {
    const state = mkdtempSync(join(tmpdir(), 'backhaul-state-'))
    t.after(() => rmSync(state, { recursive: true, force: true }))
    this.process = spawn(process.execPath, [MAIN, ...args], {
      env: { ...process.env, BACKHAUL_STATE: state },
    })
    this.ended = once(this.process, 'close')
    t.after(() => this.process.kill('SIGKILL'))
    this.process.stdout?.on('data', (chunk: Buffer) => {
      this.out += chunk.toString()
      this.#written.emit('text')
    })
    this.process.stderr?.on('data', (chunk: Buffer) => {
      this.err += chunk.toString()
      this.#written.emit('text')
    })
  }

  /** Waits until stderr holds a text. */
  async until(pattern: RegExp): Promise<void> {
    while (!pattern.test(this.err)) {
      await once(this.#written, 'text', { signal: AbortSignal.timeout(20_000) }).catch((cause: unknown) => {
        throw new Error(`Cannot find ${pattern} in ${this.err}`, { cause })
      })
    }
  }
}

test(
  'the agent starts while the broker is down, delivers when it comes, answers a ping and drains at SIGTERM',
  { skip },
  async (t) => {
    await using broker = await startMosquitto({ listeners: ['mutual'] })
    const { pki } = broker
    assert.ok(pki !== undefined)
    const edge = await pki.client('edge-1')
    await broker.kill()
    const file = await configFile(
      t,
      `
version: 1
device: { id: edge-1 }
connections:
  cloud:
    url: ${broker.url('mutual')}
    tls: { ca: ${pki.ca}, cert: ${edge.cert}, key: ${edge.key} }
inputs: { camera: { type: stdin } }
routes: [{ from: camera, to: cloud, topic: 'cameras/{sensorId}', payload: cloudevents, key: sensorId }]
commands: [{ connection: cloud, topics: 'devices/{device}/commands', replyTopic: 'devices/{device}/replies' }]
`,
    )
    const agent = new Child(t, 'run', file)
    await agent.until(/"state":"waiting","code":"UNREACHABLE"/)
    for (let frame = 0; frame < 50; frame += 1)
      agent.process.stdin?.write(`${detectionLine('gate', frame)}\nbroken\n`)

    await broker.restart()
    await using cloud = await Cloud.at(broker.url('plain'), 'cameras/#')
    await using replies = await Cloud.at(broker.url('plain'), 'devices/+/replies')
    await agent.until(/"state":"connected".*TLSv1\.3/)
    await agent.until(/commands are taken/)
    await cloud.send('devices/edge-1/commands', '{"id":"1","command":"ping"}')
    const [reply] = await replies.replies(1)
    assert.deepEqual([reply?.id, reply?.status], ['1', 'ok'])

    agent.process.kill('SIGTERM')
    assert.deepEqual(await agent.ended, [0, null], agent.err)
    assert.equal(agent.out, '')
    const { health } = Object(JSON.parse(agent.err.trim().split('\n').at(-1) ?? ''))
    assert.deepEqual([health.inputs.camera.accepted, health.inputs.camera.malformed], [50, 50])
    assert.deepEqual(
      [health.connections.cloud.account.pending, health.connections.cloud.account.delivered],
      [0, 51],
    )
  },
)

test('a command writes results to stdout, errors to stderr, and the shell gets its exit code', async (t) => {
  const version = new Child(t, '--version')
  assert.deepEqual(await version.ended, [0, null])
  assert.match(version.out, /^\d+\.\d+\.\d+\n$/)
  assert.equal(version.err, '')
  const wrong = new Child(t, 'sub', 'mqtt://127.0.0.1', '--cuont', '1')
  assert.deepEqual(await wrong.ended, [64, null])
  assert.equal(wrong.out, '')
  assert.match(wrong.err, /^error USAGE: .*did you mean "--count"\?\n {2}hint: .*\n$/)
})
