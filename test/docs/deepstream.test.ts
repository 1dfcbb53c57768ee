import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { after, before, describe, test } from 'node:test'
import { promisify } from 'node:util'

import { resolveTarget } from '../../src/client/index.ts'
import { GROUP_KEYS } from '../../src/config/deepstream/keys.ts'
import { connect } from '../../src/index.ts'
import { readBroker } from '../../src/kit/deepstream/broker.ts'
import { LIBRARY_PROTOCOLS, libraryOf } from '../../src/kit/deepstream/library.ts'
import { parseKeyFile } from '../../src/kit/key-file.ts'
import { projectFile, projectRoot } from '../architecture/source.ts'
import type { TestBroker } from '../brokers/index.ts'
import { startMosquitto } from '../brokers/index.ts'

const page = projectFile('docs/deepstream.md')

/** The rows of the table under a heading, as cells. */
function tableUnder(heading: string): string[][] {
  const [, text = ''] = page.split(`## ${heading}\n`)
  const [section = ''] = text.split('\n## ')
  return section
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .slice(2)
    .map((line) => line.slice(2, -2).split(' | '))
}

const GROUPS: Readonly<Record<string, string>> = {
  sink: '`[sinkN]`',
  source: '`[sourceN]`',
  'source-list': '`[source-list]`',
  'message-converter': '`[message-converter]`',
}

/** What stands in backquotes. */
function quoted(text: string): string[] {
  return [...text.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name)
}

test('docs/deepstream.md says of each library whether an adaptor serves it', async () => {
  const rows = tableUnder('Libraries')
  const protocols = rows.map(([library = '']) => libraryOf(quoted(library)[0] ?? ''))
  assert.deepEqual(
    protocols.map((library) => (typeof library === 'string' ? library : library.protocol)).toSorted(),
    LIBRARY_PROTOCOLS.filter((protocol) => protocol !== 'memory').toSorted(),
  )
  const connection = 'HostName=h;DeviceId=d;SharedAccessKey=k'
  for (const [name = '', words = ''] of rows) {
    const library = quoted(name)[0] ?? ''
    const isAzure = library.includes('azure')
    const { target } = readBroker({
      library,
      connection: isAzure ? connection : `host;1${library.includes('amqp') ? ';u;p' : ''}`,
      group: undefined,
      env: {},
      folder: '.',
    })
    const isServed = await resolveTarget(target.url ?? '', {}).then(
      () => true,
      () => false,
    )
    assert.equal(!words.includes('no adaptor'), isServed, library)
  }
})

test('docs/deepstream.md has every key of messaging in its tables', () => {
  const used = Object.values(GROUP_KEYS).flatMap((keys): readonly string[] => keys.used)
  const rows = [
    ...tableUnder('Keys of a sink of type 6, and of `[message-converter]`'),
    ...tableUnder('Keys of `[message-consumerN]`, `[sourceN]` and `[source-list]`'),
  ]
  const told = rows.flatMap(([key = '']) => quoted(key)).filter((name) => !name.startsWith('['))
  assert.deepEqual([...new Set(told)].toSorted(), [...new Set(used)].toSorted())
})

test('docs/deepstream.md has every key without effect, and why', () => {
  const lines = Object.entries(GROUP_KEYS).flatMap(([kind, { idle }]) =>
    Object.entries(idle).map(([key, why]) => `| ${GROUPS[kind]} | \`${key}\` | ${why} |`),
  )
  const told = tableUnder('Keys without effect').map((cells) => `| ${cells.join(' | ')} |`)
  assert.deepEqual(told, lines, lines.join('\n'))
})

test("docs/deepstream.md names no key of an adaptor's file that is unknown", () => {
  for (const [key = ''] of tableUnder("Keys of the adaptors' files")) {
    const protocol = key.split(':')[0]?.toLowerCase() ?? ''
    for (const name of quoted(key).filter((text) => /^[a-z]/.test(text))) {
      const group = parseKeyFile(`[message-broker]\n${name}=1\n`).groups.get('message-broker')
      const library = `libnvds_${protocol === 'all' ? 'mqtt' : protocol}_proto.so`
      const { problems } = readBroker({ library, connection: 'h;1883', group, env: {}, folder: '.' })
      const unknown = problems.filter(({ text }) => text.includes('is unknown'))
      assert.deepEqual(unknown, [], `${protocol} ${name}`)
    }
  }
})

describe('the five minutes of docs/deepstream.md', () => {
  const blocks = [...page.matchAll(/^```(\w+)(?: (\S+))?\n([^]*?)^```$/gm)]
  let folder = ''
  let broker: TestBroker | undefined
  before(async () => {
    broker = await startMosquitto()
    folder = await mkdtemp(join(tmpdir(), 'backhaul-deepstream-page-'))
    const script = async (name: string, body: string) => {
      await writeFile(join(folder, name), `#!/bin/sh\n${body}\n`)
      await chmod(join(folder, name), 0o755)
    }
    const main = join(projectRoot, 'build/src/cli/main.js')
    await script('backhaul', `exec '${process.execPath}' '${main}' "$@"`)
    await script('detector', 'exec cat frames.jsonl')
  })
  after(async () => {
    await broker?.stop()
    await rm(folder, { recursive: true, force: true })
  })

  test('each file and command is as the page says, and six messages arrive', async () => {
    assert.ok(broker !== undefined)
    const port = broker.port('plain')
    const here = (text: string) => text.replaceAll('broker.example;1883', `127.0.0.1;${port}`)
    const env = { ...process.env, PATH: `${folder}:${process.env['PATH'] ?? ''}`, BACKHAUL_STATE: folder }
    await using client = await connect(broker.url('plain'))
    const sensors: string[] = []
    await client.subscribe(['detections'], ({ payload }) => {
      sensors.push(String(JSON.parse(Buffer.from(payload).toString()).sensor.id))
    })
    let printed = ''
    for (const [, kind = '', file, text = ''] of blocks) {
      if (file !== undefined) await writeFile(join(folder, file), here(text))
      else if (kind === 'text') assert.ok(printed.includes(text), printed)
      else {
        const options = { cwd: folder, env, timeout: 60_000 }
        const shell = promisify(execFile)('bash', ['-eo', 'pipefail', '-c', here(text)], options)
        printed = (await shell).stdout
      }
    }
    assert.ok(blocks.length >= 7)
    // what was sent before is here once this is acknowledged: one session, one order
    await client.send({ topic: 'detections', payload: '{"sensor":{"id":"end"}}' })
    while (sensors.at(-1) !== 'end') await new Promise(setImmediate)
    assert.deepEqual(sensors, [...Array.from({ length: 6 }, () => 'HWY_20'), 'end'])
  })
})
