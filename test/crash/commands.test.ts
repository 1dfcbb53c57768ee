import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

import { connect } from '../../src/client/index.ts'
import { decodeReply } from '../../src/codec/index.ts'
import { startMosquitto } from '../brokers/index.ts'

/** `npm run test:stress` asks for more. */
const KILLS = Number(process.env['COMMAND_KILLS'] ?? 8)
const AGENT = fileURLToPath(new URL('agent.js', import.meta.url))

test('each command is carried out at most once and answered, however often the agent is killed', async (t) => {
  await using broker = await startMosquitto({ listeners: ['plain'] })
  const folder = mkdtempSync(join(tmpdir(), 'backhaul-commands-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const acts = join(folder, 'acts')
  writeFileSync(acts, '')
  await using cloud = await connect(broker.url('plain'))
  const replies = new Map<string, Set<string>>()
  await cloud.subscribe('replies', ({ payload }) => {
    const reply = decodeReply(payload)
    const known = replies.get(reply.id ?? '') ?? new Set()
    replies.set(reply.id ?? '', known.add(reply.status === 'ok' ? 'ok' : reply.error.code))
  })
  const sent: string[] = []
  // a sender that wants each command to arrive: it sends again, under the same id, until it is answered
  const send = async () => {
    for (const id of sent.filter((id) => !replies.has(id))) {
      const command = id.startsWith('crash') ? 'crash' : 'slow'
      await cloud.send({ topic: 'commands', payload: JSON.stringify({ id, command }) })
    }
  }
  const start = () =>
    spawn(process.execPath, [AGENT, broker.url('plain'), folder, acts], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
  for (let kill = 0; kill < KILLS; kill += 1) {
    const agent = start()
    const exited = once(agent, 'exit')
    await once(agent.stdout, 'data')
    for (let n = 0; n < 4; n += 1) sent.push(`slow-${kill}-${n}`)
    if (kill % 4 === 3) sent.push(`crash-${kill}`)
    const until = performance.now() + 60 + ((kill * 37) % 150)
    while (performance.now() < until) {
      await send()
      await sleep(15)
    }
    agent.kill('SIGKILL')
    await exited
  }
  const deadline = performance.now() + 30_000
  let agent = start()
  while (replies.size < sent.length && performance.now() < deadline) {
    if (agent.exitCode !== null || agent.signalCode !== null) agent = start()
    await send()
    await sleep(100)
  }
  agent.kill('SIGTERM')
  await once(agent, 'exit')
  assert.deepEqual(
    sent.filter((id) => !replies.has(id)),
    [],
    'every command was answered',
  )
  const acted = readFileSync(acts, 'utf8').trim().split('\n')
  assert.equal(new Set(acted).size, acted.length, 'none was carried out twice')
  for (const id of acted) assert.ok(sent.includes(id))
  for (const [id, answers] of replies) {
    assert.equal(answers.size, 1, `${id} was answered in one way: ${[...answers].join()}`)
    if (answers.has('ok')) assert.ok(acted.includes(id))
    else assert.deepEqual([...answers], ['COMMAND_INTERRUPTED'])
  }
  const interrupted = [...replies.values()].filter((answers) => answers.has('COMMAND_INTERRUPTED')).length
  t.diagnostic(
    `${KILLS} kills, ${sent.length} commands, ${acted.length} carried out, ${interrupted} interrupted`,
  )
})
