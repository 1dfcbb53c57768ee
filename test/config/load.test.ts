import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'

import { resolveTarget } from '../../src/client/index.ts'
import { formatProblem, loadConfig } from '../../src/config/index.ts'
import { BackhaulError } from '../../src/contract/index.ts'
import { GOOD, lint, problemsOf } from './lint.ts'

const SURROUNDINGS = { resolve: resolveTarget, env: {} }

test('loadConfig() fills in every default', async () => {
  const { config, warnings } = await loadConfig({ text: GOOD, name: 'agent.yml' }, SURROUNDINGS)
  assert.deepEqual(warnings, [])
  assert.deepEqual(config, {
    version: 1,
    device: { id: 'gate-7' },
    connections: {
      cloud: {
        url: 'memory:cloud',
        options: {},
        allowPlaintextCredentials: false,
        outbox: {
          fsync: 'always',
          fsyncInterval: 100,
          groupCommitMs: 0,
          minFreeBytes: 67_108_864,
          policy: 'block',
          parkRefused: true,
        },
      },
    },
    inputs: { camera: { type: 'stdin', schema: 'detection', maxLineBytes: 1_048_576 } },
    routes: [
      { from: 'camera', to: 'cloud', topic: 'cameras/{sensorId}/detections', payload: 'detection-minimal' },
    ],
    commands: [
      {
        connection: 'cloud',
        topics: ['devices/{device}/commands'],
        format: 'backhaul',
        replyTopic: 'devices/{device}/replies',
      },
    ],
    log: { level: 'info' },
  })
})

test('loadConfig() reads a file, and takes its paths as relative to it', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'backhaul-config-'))
  try {
    writeFileSync(join(folder, 'lines.jsonl'), '')
    const path = join(folder, 'agent.yml')
    writeFileSync(path, GOOD.replace('type: stdin', 'type: file, path: lines.jsonl, replay: asap'))
    const { config } = await loadConfig(path, SURROUNDINGS)
    assert.deepEqual(config.inputs['camera'], {
      type: 'file',
      path: join(folder, 'lines.jsonl'),
      replay: 'asap',
      repeat: false,
      schema: 'detection',
      maxLineBytes: 1_048_576,
    })
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('loadConfig() throws one error that lists every mistake with its place', async () => {
  const text = GOOD.replace('to: cloud', 'to: clowd').replace('detection-minimal', 'detection-minmal')
  await assert.rejects(loadConfig({ text, name: 'agent.yml' }, SURROUNDINGS), (error) => {
    assert.ok(error instanceof BackhaulError)
    assert.equal(error.code, 'INVALID_CONFIG')
    assert.deepEqual(error.message.split('\n'), [
      'Cannot use "agent.yml": it has a mistake, mend each of these',
      'agent.yml:12:14: "routes.0.payload" must be one of "detection-minimal"|"deepstream-full"|"deepstream-minimal"|"deepstream-protobuf"|"deepstream-custom"|"cloudevents"|"json"|"raw", did you mean "detection-minimal"?',
    ])
    return true
  })
})

test('loadConfig() says when the file itself is not there', async () => {
  await assert.rejects(
    loadConfig('/nowhere/agent.yml', SURROUNDINGS),
    (error) =>
      error instanceof BackhaulError &&
      error.code === 'FILE_UNREADABLE' &&
      error.message ===
        'Cannot read "/nowhere/agent.yml": the file is not there, check the path or make "agent.yml"',
  )
})

test('loadConfig() hands warnings over and goes on', async () => {
  const text = GOOD.replace('inputs:', 'inputs:\n  spare: { type: tcp, port: 7000 }')
  const { warnings } = await loadConfig({ text, name: 'agent.yml' }, SURROUNDINGS)
  assert.deepEqual(
    warnings.map((problem) => formatProblem('agent.yml', problem)),
    ['agent.yml:7:3: warning: "inputs.spare" is used by no route, add one or leave it out'],
  )
})

test('lintConfig() finds mistakes of every part at once, in the order of the file', async () => {
  const text = GOOD.replace('gate-7', 'gate/7')
    .replace('memory:cloud', 'memmory:cloud')
    .replace('type: stdin', 'type: stdn')
    .replace('to: cloud', 'to: clowd')
    .replace('replyTopic', 'replayTopic')
  assert.deepEqual(await problemsOf(text), [
    '2:15 "device.id" must hold only letters, digits, ".", "_" and "-"',
    '5:10 Cannot use the address "memmory:cloud": the scheme "memmory" is unknown, did you mean "memory"?',
    '7:19 "inputs.camera.type" must be one of "stdin"|"file"|"unix"|"tcp", did you mean "stdin"?',
    '10:9 "routes.0.to" names an unknown connection, did you mean "cloud"?',
    '14:5 "commands.0.replyTopic" is missing: must be a string',
    '16:5 "commands.0.replayTopic" is unknown, did you mean "replyTopic"?',
  ])
})

test('lintConfig() takes Windows line ends and a byte order mark', async () => {
  const { config, problems } = await lint(`\uFEFF${GOOD.replaceAll('\n', '\r\n')}`)
  assert.deepEqual(problems, [])
  assert.equal(config?.device.id, 'gate-7')
  assert.deepEqual(await problemsOf(GOOD.replace('from: camera', 'from: camra').replaceAll('\n', '\r\n')), [
    '9:11 "routes.0.from" names an unknown input, did you mean "camera"?',
  ])
})

test('lintConfig() gives the adaptor the options of the connection, and puts its objections at their place', async () => {
  const text = GOOD.replace(
    'url: memory:cloud',
    'url: memory:cloud\n    options:\n      clientID: x\n      clientIdd: y',
  )
  assert.deepEqual(await problemsOf(text), [
    '7:7 "connections.cloud.options.clientID" is unknown, did you mean "clientId"?',
    '8:7 "connections.cloud.options.clientIdd" is unknown, did you mean "clientId"?',
  ])
  assert.deepEqual(await problemsOf(GOOD.replace('memory:cloud', 'memory:cloud?clientIdd=y')), [
    '5:10 "connections.cloud.url" has an option "clientIdd" that is unknown, did you mean "clientId"?',
  ])
})
