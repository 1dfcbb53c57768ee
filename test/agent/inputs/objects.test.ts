import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'

import { Cloud, startAgent } from '../fixture.ts'

/** A frame in DeepStream's minimal schema, as DeepStream writes it. */
function frame(id: number): string {
  const message = {
    version: '4.0',
    id: String(id),
    '@timestamp': '2026-01-02T03:04:06.678Z',
    sensorId: 'HWY_20',
    objects: [`${id}|1|2|3|4|Person`],
  }
  return `${JSON.stringify(message, null, 2)}\n`
}

test('the agent replays messages of DeepStream that are spread over many lines, and says where one is broken', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'backhaul-objects-'))
  t.after(() => rm(folder, { recursive: true }))
  const path = join(folder, 'recording.json')
  await writeFile(path, [frame(1), frame(2).slice(0, 40), '\n', frame(3)].join(''))
  await using cloud = await Cloud.at('memory:objects', 'out')
  const { agent, log } = await startAgent(t, {
    connections: { cloud: { url: 'memory:objects' } },
    inputs: { recording: { type: 'file', path, schema: 'deepstream', replay: 'asap' } },
    routes: [{ from: 'recording', to: 'cloud', topic: 'out', payload: 'deepstream-minimal' }],
  })
  const messages = await cloud.messages(2)
  assert.deepEqual(
    messages.map(({ payload }) => JSON.parse(Buffer.from(payload).toString()).id),
    ['1', '3'],
  )
  await log.line(({ text }) => text === 'input has ended')
  const input = agent.health().inputs['recording']
  assert.deepEqual([input?.lines, input?.malformed, input?.accepted], [3, 1, 2])
})
