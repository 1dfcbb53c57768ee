import assert from 'node:assert/strict'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { after, before, describe, test } from 'node:test'

import { createAgent } from '../../../src/agent/index.ts'
import { loadConfig } from '../../../src/config/index.ts'
import type { Action } from '../../../src/contract/index.ts'
import { resolveTarget } from '../../../src/client/index.ts'
import { Cloud, LogBook } from '../../agent/fixture.ts'
import { folderOf } from '../../config/deepstream/files.ts'
import type { Site } from './sites.ts'
import { SITES } from './sites.ts'

// The recording commands of DeepStream's cloud, in every form that is valid and every one that is not, through a real broker to an agent
// that runs DeepStream's own file. Where there is no recorder yet, an action of the test stands in its place.

const SENSORS = `[sensor0]
enable=1
id=gate-7

[sensor12]
enable=1
id=yard, north

[sensor13]
enable=0
id=closed
`

const START = Date.UTC(2026, 0, 2, 3, 4, 5)
const gate = { sensor: { id: 'gate-7' } }

/** What is sent, and the command that it comes to; or a part of the refusal. */
type Row = readonly [
  what: string,
  sent: unknown,
  becomes: readonly [name: string, args: Readonly<Record<string, unknown>>] | string,
]

const started = (change: Readonly<Record<string, unknown>> = {}): Row[2] => [
  'start-recording',
  { sensorId: 'gate-7', source: 0, startMs: START, ...change },
]
const STOPPED: Row[2] = ['stop-recording', { sensorId: 'gate-7', source: 0 }]

const B11: readonly Row[] = [
  [
    'a start with both times',
    { command: 'start-recording', start: '2026-01-02T03:04:05.250Z', end: '2026-01-02T03:04:20Z', ...gate },
    started({ endMs: START + 15_000 }),
  ],
  [
    'a start without an end',
    { command: 'start-recording', start: '2026-01-02T03:04:05', ...gate },
    started(),
  ],
  ['no command, which is a start', { start: '2026-01-02T03:04:05', ...gate }, started()],
  ['a time zone, which is passed over', { start: '2026-01-02T03:04:05+02:00', ...gate }, started()],
  ['fields that nobody knows', { start: '2026-01-02T03:04:05', other: [1], ...gate }, started()],
  ['blanks around the id', { start: '2026-01-02T03:04:05', sensor: { id: '  gate-7\t' } }, started()],
  ['a stop', { command: 'stop-recording', ...gate }, STOPPED],
  [
    'a stop with times, which it ignores',
    { command: 'stop-recording', start: 'soon', end: 5, ...gate },
    STOPPED,
  ],
  [
    'a command that nobody knows',
    { command: 'pause-recording', start: '2026-01-02T03:04:05', ...gate },
    '"command" must be',
  ],
  ['a command that is no text', { command: 5, start: '2026-01-02T03:04:05', ...gate }, '"command" must be'],
  ['a command that is null', { command: null, start: '2026-01-02T03:04:05', ...gate }, '"command" must be'],
  ['a start without a time', { command: 'start-recording', ...gate }, '"start" is missing'],
  ['a time that is none', { start: 'soon', ...gate }, '"start" is no time'],
  ['a time that is a number', { start: START, ...gate }, '"start" is no time'],
  ['a day that is none', { start: '2026-13-45T03:04:05', ...gate }, '"start" is no time'],
  ['an end that is no time', { start: '2026-01-02T03:04:05', end: 'later', ...gate }, '"end" is no time'],
  ['no sensor', { start: '2026-01-02T03:04:05' }, '"sensor.id" must be a text'],
  ['a sensor without an id', { start: '2026-01-02T03:04:05', sensor: {} }, '"sensor.id" must be a text'],
  [
    'an id that is a number',
    { start: '2026-01-02T03:04:05', sensor: { id: 7 } },
    '"sensor.id" must be a text',
  ],
  ['an id of blanks', { start: '2026-01-02T03:04:05', sensor: { id: '  ' } }, '"sensor.id" must be a text'],
  ['a list', [gate], 'it is no JSON object'],
  ['a text that is no JSON', '{"command":', 'it is not JSON'],
  ['bytes that are no text', Buffer.from([0xff, 0xfe, 0x00]), 'it is not UTF-8'],
  ['nothing but a number', 5, 'it is no JSON object'],
]

const stop = (id: string) => ({ command: 'stop-recording', sensor: { id } })

/** By the list of sensors. */
const B12_LIST: readonly Row[] = [
  ['an id of the list', stop('yard, north'), ['stop-recording', { sensorId: 'yard, north', source: 12 }]],
  ['an id that is not in the list', stop('roof'), '"roof" is not in the list of sensors'],
  ['an id of a sensor that is not enabled', stop('closed'), '"closed" is not in the list of sensors'],
  ['a number, which is no id here', stop('12'), '"12" is not in the list of sensors'],
  ['a name of every object', stop('__proto__'), '"__proto__" is not in the list of sensors'],
]

/** Without a list the id is the number of the source. */
const B12_NUMBERS: readonly Row[] = [
  ['a number', stop('4'), ['stop-recording', { sensorId: '4', source: 4 }]],
  ['a text that is no number', stop('gate-7'), '"gate-7" is no number of a source'],
  ['a number below 0', stop('-1'), '"-1" is no number of a source'],
  ['a number that no source can have', stop('99999999999999999999'), 'is no number of a source'],
]

for (const [name, skip, start] of SITES) {
  describe(`recording commands of DeepStream's cloud over a real ${name}`, { skip }, () => {
    let site: Site | undefined
    before(async () => {
      site = await start()
    })
    after(() => site?.stop())
    for (const [row, topic, list, cases] of [
      ['B11: every form of a recording command', 'forms', true, B11],
      ['B12: sensors by their list', 'list', true, B12_LIST],
      ['B12: sensors by their numbers', 'numbers', false, B12_NUMBERS],
    ] as const) {
      test(row, async (t) => {
        assert.ok(site !== undefined)
        await site.create(topic)
        const device = await startDevice(t, site, topic, list)
        for (const [what, sent, becomes] of cases) {
          await t.test(`${what} ${typeof becomes === 'string' ? 'is refused' : `is ${becomes[0]}`}`, () =>
            device.expect(sent, becomes),
          )
        }
      })
    }
  })
}

async function startDevice(t: TestContext, site: Site, topic: string, withList: boolean) {
  const text = `[message-consumer0]
enable=1
proto-lib=${site.library}
conn-str=${site.connection}
subscribe-topic-list=${topic}
${withList ? 'sensor-list-file=sensors.txt' : ''}
`
  const folder = await folderOf(t, { 'test5.txt': text, 'sensors.txt': SENSORS })
  const { config } = await loadConfig(join(folder, 'test5.txt'), {
    resolve: resolveTarget,
    env: {},
    deviceId: 'edge-1',
  })
  const ran: unknown[] = []
  const action = (name: string): Action => ({
    name,
    summary: 'Stands in the place of a recorder',
    run: ({ args }) => Promise.resolve(ran.push([name, JSON.parse(JSON.stringify(args))])),
  })
  const log = new LogBook()
  const replyTopic = `${topic}-replies`
  await site.create(replyTopic)
  // the original answers nothing; here the refusals are read from replies
  const commands = config.commands.map((each) => ({ ...each, replyTopic }))
  const actions = [action('start-recording'), action('stop-recording')]
  const agent = createAgent({ ...config, commands }, { logger: log, actions })
  t.after(() => agent.stop({ drainTimeoutMs: 100 }))
  await agent.start()
  await log.line(({ text: line }) => line === 'commands are taken')
  const cloud = await Cloud.at(site.url, replyTopic)
  t.after(() => cloud[Symbol.asyncDispose]())
  let replies = 0
  return {
    /** Sends, and waits for what becomes of it. */
    async expect(sent: unknown, becomes: Row[2]): Promise<void> {
      const payload = sent instanceof Uint8Array || typeof sent === 'string' ? sent : JSON.stringify(sent)
      const command = ran.length
      await cloud.send(topic, payload)
      const reply = (await cloud.replies((replies += 1))).at(-1)
      if (typeof becomes === 'string') {
        assert.ok(reply?.status === 'error' && reply.error.message.includes(becomes), JSON.stringify(reply))
        assert.equal(ran.length, command)
      } else {
        assert.equal(reply?.status, 'ok', JSON.stringify(reply))
        assert.deepEqual(ran.slice(command), [becomes])
      }
    },
  }
}
