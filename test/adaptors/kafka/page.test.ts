import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { after, before, describe, test } from 'node:test'
import { promisify } from 'node:util'

import { projectFile, projectRoot } from '../../architecture/source.ts'
import { freePorts, withoutKafka } from '../../brokers/index.ts'
import { javaCommand, kafkaJars } from '../../brokers/kafka-jars.ts'

/** Kafka's scripts as a distribution has them, by the class that each runs. */
const SCRIPTS = {
  'kafka-storage.sh': 'kafka.tools.StorageTool',
  'kafka-topics.sh': 'org.apache.kafka.tools.TopicCommand',
  'kafka-acls.sh': 'org.apache.kafka.tools.AclCommand',
} as const

/** A part of the page in a frame: a file to write, commands to run, or what they print. */
interface Block {
  readonly kind: string
  readonly file: string | undefined
  readonly text: string
}

const blocks = Array.from(
  projectFile('docs/kafka.md').matchAll(/^```(\w+)(?: (\S+))?\n([^]*?)^```$/gm),
  ([, kind = '', file, text = '']): Block => ({ kind, file, text }),
)

describe('docs/kafka.md', { skip: withoutKafka('openssl') }, () => {
  let folder = ''
  let ports: readonly number[] = []
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'backhaul-page-'))
    ports = await freePorts(3)
    const java = `exec '${javaCommand()}' -XX:TieredStopAtLevel=1 -Xshare:auto -cp '${kafkaJars()}/*'`
    const script = async (name: string, body: string) => {
      await writeFile(join(folder, name), `#!/bin/sh\n${body}\n`)
      await chmod(join(folder, name), 0o755)
    }
    for (const [name, main] of Object.entries(SCRIPTS)) await script(name, `${java} ${main} "$@"`)
    const start = `(${java} -Xmx512m kafka.Kafka "$2") > kafka.log 2>&1 & echo $! > kafka.pid`
    await script('kafka-server-start.sh', start)
    await script(
      'backhaul',
      `exec '${process.execPath}' '${join(projectRoot, 'build/src/cli/main.js')}' "$@"`,
    )
  })
  after(async () => {
    const pid = Number(await readFile(join(folder, 'kafka.pid'), 'utf8').catch(() => '0'))
    if (pid > 0) process.kill(pid, 'SIGKILL')
    await rm(folder, { recursive: true, force: true })
  })

  /** The page as it is for this machine: its ports, its name, its folder. */
  const here = (text: string) =>
    text
      .replaceAll(/\b90(90|93|94)\b/g, (port) => String(ports[['9090', '9093', '9094'].indexOf(port)]))
      .replaceAll('broker.example', 'localhost')
      .replaceAll('0.0.0.0', '127.0.0.1')
      .replaceAll('/etc/kafka', folder)

  const run = async (commands: string): Promise<string> => {
    const env = {
      ...process.env,
      PATH: `${folder}:${process.env['PATH'] ?? ''}`,
      BACKHAUL_STATE: join(folder, 'state'),
    }
    const options = { cwd: folder, env, timeout: 90_000, maxBuffer: 1024 ** 2 }
    const { stdout, stderr } = await promisify(execFile)('bash', ['-e', '-c', here(commands)], options)
    return stdout + stderr
  }

  let printed = ''
  for (const [index, { kind, file, text }] of blocks.entries()) {
    if (kind === 'sh') {
      test(`command ${index}: ${text.split('\n')[0] ?? ''}`, async () => {
        printed = await run(text)
      })
    } else if (kind === 'text') {
      test(`output ${index} is as the page has it`, () => {
        for (const line of here(text).split('\n')) {
          const parts = line
            .split('...')
            .map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`))
          assert.match(printed, new RegExp(`^${parts.join('.*')}`, 'm'))
        }
      })
    } else if (file !== undefined) {
      test(`file ${file} is written`, () => writeFile(join(folder, file), here(text)))
    }
  }

  test('the page has its parts', () => {
    const count = (kind: string) => blocks.filter((block) => block.kind === kind).length
    assert.deepEqual([count('sh') >= 10, count('text') >= 5, count('yaml')], [true, true, 2])
  })
})
