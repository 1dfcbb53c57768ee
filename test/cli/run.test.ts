import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'

import { Cloud, detectionLine } from '../agent/fixture.ts'
import { configFile } from './config-file.ts'
import { cli, FakeProcess } from './fake-io.ts'

function config(url: string, input: string): string {
  return `
version: 1
device: { id: edge-1 }
connections:
  cloud: { url: '${url}' }
inputs:
  camera: ${input}
routes:
  - { from: camera, to: cloud, topic: 'cameras/{sensorId}', payload: detection-minimal }
commands:
  - { connection: cloud, topics: 'devices/{device}/commands', replyTopic: 'devices/{device}/replies' }
`
}

test('run ends by itself with 0 when its inputs have ended and all is delivered', async (t) => {
  const lines = [1, 2, 3].map((frame) => detectionLine('gate', frame)).join('\n')
  const file = await configFile(
    t,
    config('memory:run-file', '{ type: file, path: events.jsonl, replay: asap }'),
    {
      'events.jsonl': lines,
    },
  )
  await using cloud = await Cloud.at('memory:run-file', 'cameras/gate')
  const ended = await cli('run', file)
  assert.equal(ended.code, 0, ended.err)
  assert.equal(ended.out, '')
  assert.equal((await cloud.messages(3)).length, 3)
  const logged = ended.err
    .trim()
    .split('\n')
    .map((line): unknown => JSON.parse(line))
  const { msg, health } = Object(logged.at(-1))
  assert.deepEqual([msg, health.status, health.connections.cloud.account.delivered], ['health', 'stopped', 3])
})

test('run ends with 66 when a file that it is to replay is not there', async (t) => {
  const file = await configFile(t, config('memory:run-missing', '{ type: file, path: events.jsonl }'))
  const ended = await cli('run', file)
  assert.equal(ended.code, 66, ended.err)
  assert.match(ended.err, /^error INPUT_FAILED: Cannot read ".*events\.jsonl": there is no such file/m)
})

test('run tells each mistake of the file with its place, and ends with 78', async (t) => {
  const file = await configFile(t, config('memory:x', '{ type: fiel }').replace('device:', 'devise:'))
  const ended = await cli('run', file)
  assert.equal(ended.code, 78)
  assert.match(ended.err, /^error INVALID_CONFIG: Cannot use ".*edge\.yaml"/)
  assert.match(ended.err, /^\S*edge\.yaml:3:1: "devise" is unknown, did you mean "device"\?/m)
  assert.match(ended.err, /^\S*edge\.yaml:7:\d+: "inputs\.camera\.type" .*"file"/m)
})

test('run drains at SIGTERM, tells its health at SIGUSR2, and ends at once at a second signal', async (t) => {
  const file = await configFile(t, config('mqtt://127.0.0.1:1', '{ type: stdin }'))
  const process = new FakeProcess()
  const ended = process.run('run', file, '--drain', '1s')
  process.stdin.write(`${detectionLine('gate', 1)}\n`)
  await process.until(/"state":"waiting"/)
  // the line is read and stored by and by
  while (!/"status":"degraded".*"pending":1/.test(process.err)) {
    process.signal('SIGUSR2')
    await nextTurn()
  }
  assert.match(process.err, /"msg":"health"/)
  process.signal('SIGTERM')
  process.signal('SIGTERM')
  assert.equal(await ended, 130)
  assert.match(process.err, /^error ABORTED: /m)
})

test('check writes every mistake to stdout and ends with 78', async (t) => {
  const file = await configFile(t, config('mqts://x', '{ type: stdin, schemo: lines }'))
  const ended = await cli('check', file)
  assert.equal(ended.code, 78)
  assert.match(ended.out, /edge\.yaml:5:\d+: .*"mqts" is unknown, did you mean "mqtts"\?/)
  assert.match(ended.out, /edge\.yaml:7:\d+: "inputs\.camera\.schemo" is unknown, did you mean "schema"\?/)
  assert.match(ended.err, /^error INVALID_CONFIG: .*2 mistakes/)
  const json = await cli('check', file, '--json')
  const report: { ok: boolean; problems: { line: number; suggestion?: string }[] } = JSON.parse(json.out)
  assert.equal(report.ok, false)
  assert.deepEqual(report.problems.map(({ line, suggestion }) => [line, suggestion]).at(-1), [7, 'schema'])
})

test('check --connect tells what was negotiated, or what is wrong with each connection', async (t) => {
  const good = await configFile(t, config('memory:check', '{ type: stdin }'))
  const fine = await cli('check', good, '--connect')
  assert.equal(fine.code, 0, fine.err)
  assert.match(
    fine.out,
    /edge\.yaml: ok, 1 connection, 1 input, 1 route, 1 command subscription\ncloud: connected, /,
  )

  const bad = await configFile(t, config('mqtt://127.0.0.1:1', '{ type: stdin }'))
  const failed = await cli('check', bad, '--connect', '--deadline', '300ms', '--json')
  assert.equal(failed.code, 69)
  const report: { ok: boolean; connections: unknown } = JSON.parse(failed.out)
  assert.equal(report.ok, false)
  assert.match(JSON.stringify(report.connections), /"connection":"cloud","error":\{"code":"UNREACHABLE"/)
  assert.match(failed.err, /^\{"error":\{"code":"UNREACHABLE"/)
})
