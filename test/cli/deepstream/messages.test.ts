import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import type { TestContext } from 'node:test'
import { after, before, describe, test } from 'node:test'

import { connect } from '../../../src/index.ts'
import { deferred } from '../../../src/kit/deferred.ts'
import { asYaml, folderOf } from '../../config/deepstream/files.ts'
import { FakeProcess } from '../fake-io.ts'
import type { Test5Config } from './configs.ts'
import { CONFIGS, PROPERTIES } from './configs.ts'
import type { Site } from './sites.ts'
import { SITES } from './sites.ts'

// What a configuration of DeepStream's applications brings to a real broker, in both grammars: topic, key and bytes, message by
// message, in the order of each topic. UPDATE_GOLDEN=1 writes the golden files anew: read every line of the difference then.

for (const [name, skip, start] of SITES) {
  describe(`messages of DeepStream's configurations at a real ${name}`, { skip }, () => {
    let site: Site | undefined
    before(async () => {
      site = await start()
    })
    after(() => site?.stop())
    for (const config of CONFIGS) {
      for (const format of ['txt', 'yml'] as const) {
        test(`${config.name}.${format}: topics, keys and bytes are those of the reference`, async (t) => {
          assert.ok(site !== undefined)
          const found = await messagesOf(t, site, config, format)
          const golden = goldenOf(config.name, found, name === 'Kafka')
          assert.equal(found, name === 'Kafka' ? golden : golden.replaceAll(/ key=.*/g, ''))
        })
      }
    }
  })
}

/** What a golden file says. */
function goldenOf(name: string, found: string, isComplete: boolean): string {
  const path = `test/cli/golden/deepstream-${name}.txt`
  if (isComplete && process.env['UPDATE_GOLDEN'] === '1') writeFileSync(path, found)
  return readFileSync(path, 'utf8')
}

/** Runs a configuration over its frames, and gives what came, topic by topic. */
async function messagesOf(t: TestContext, site: Site, config: Test5Config, format: 'txt' | 'yml') {
  const prefix = `${config.name}-${format}`
  const text = config.text
    .replaceAll('LIBRARY', site.library)
    .replaceAll('CONNECTION', site.connection)
    .replaceAll('TOPIC', prefix)
  const cfg = `[message-broker]\n${site.library.includes('kafka') ? config.kafka : 'keep-alive = 60'}\n`
  const folder = await folderOf(t, {
    [`test5.${format}`]: format === 'yml' ? asYaml(text) : text,
    'cfg.txt': cfg,
    'properties.txt': PROPERTIES,
  })
  const topics = config.topics.map((topic) => `${prefix}.${topic}`)
  for (const topic of topics) await site.create(topic)
  await using client = await connect(site.url)
  const came = new Map(topics.map((topic) => [topic, [] as string[]]))
  const last = deferred()
  await client.subscribe(topics, ({ topic, key, payload }) => {
    const text = Buffer.from(payload).toString()
    if (text === END) ends.delete(topic)
    else came.get(topic)?.push(`${topic.slice(prefix.length + 1)} key=${key ?? '(none)'}\n${shown(payload)}`)
    if (ends.size === 0) last.resolve()
  })
  const ends = new Set(topics)
  const app = new FakeProcess()
  app.stdin.end(config.frames.map((frame) => `${JSON.stringify(frame)}\n`).join(''))
  assert.equal(await app.run('run', join(folder, `test5.${format}`)), 0, app.err)
  assert.equal(app.out, 'App run successful\n')
  for (const topic of topics) await client.send({ topic, payload: END })
  await last.promise
  const all = [...came.values()].flat().join('\n')
  return `${site.library.includes('kafka') ? all : all.replaceAll(/ key=.*/g, '')}\n`
}

/** Behind the last message of a topic. */
const END = 'end'

/** A payload as text; bytes as hexadecimal digits. What is new each time is named in its place. */
function shown(payload: Uint8Array): string {
  const text = Buffer.from(payload).toString()
  if (!text.startsWith('{') && !/^[ -~]*\0?$/.test(text)) return Buffer.from(payload).toString('hex')
  return text
    .replaceAll('\0', String.raw`\0`)
    .replaceAll(/[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/g, 'uuid')
    .replaceAll(/"(?!2026-01-02)\d{4}-\d\d-\d\dT[\d:.]+Z"/g, '"now"')
}
