import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'

import { cli, FakeProcess } from './fake-io.ts'

/** A subscriber that is ready. */
async function subscriber(...args: string[]): Promise<{ process: FakeProcess; ended: Promise<number> }> {
  const process = new FakeProcess()
  const ended = process.run('sub', ...args)
  await process.until(/subscribed to/)
  return { process, ended }
}

test('pub sends one message a line, sub writes one payload a line and ends at its count', async () => {
  const { process, ended } = await subscriber('memory:lines', 'a/b', '--count', '3')
  const publisher = new FakeProcess()
  publisher.stdin.end('one\n\nthree')
  assert.equal(await publisher.run('pub', 'memory:lines', 'a/b'), 0)
  assert.equal(await ended, 0)
  assert.equal(process.out, 'one\n\nthree\n')
  assert.equal(publisher.out, '')
  assert.match(publisher.err, /3 of 3 messages acknowledged/)
})

test('sub --json carries bytes that are no text, with their metadata', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'backhaul-'))
  t.after(() => rm(folder, { recursive: true }))
  const file = join(folder, 'picture')
  await writeFile(file, Buffer.from([0xff, 0x00, 0x0a]))
  const { process, ended } = await subscriber('memory:json', 'a/+', '--json', '--count', '2')
  const flags = ['--message-key', 'k', '--header', 'x=1', '--header', 'y=a=b']
  assert.equal((await cli('pub', 'memory:json', 'a/1', '--file', file, ...flags)).code, 0)
  assert.equal((await cli('pub', 'memory:json', 'a/2', '--message', 'größer')).code, 0)
  assert.equal(await ended, 0)
  const lines = Buffer.from(process.out, 'latin1').toString('utf8').trimEnd().split('\n')
  const [picture, text] = lines.map((line): unknown =>
    JSON.parse(line, (name, value: unknown) => (name === 'id' ? undefined : value)),
  )
  assert.deepEqual(picture, {
    topic: 'a/1',
    key: 'k',
    headers: { x: '1', y: 'a=b' },
    redelivered: false,
    retained: false,
    payloadBase64: '/wAK',
  })
  assert.deepEqual(text, { topic: 'a/2', redelivered: false, retained: false, payload: 'größer' })
})

test('sub ends with 0 on SIGINT, and when nobody reads its output any more', async () => {
  const interrupted = await subscriber('memory:ends', 'a')
  interrupted.process.signal('SIGINT')
  assert.equal(await interrupted.ended, 0)

  const unread = await subscriber('memory:ends', 'a')
  unread.process.closeStdout()
  assert.equal(await unread.ended, 0)
  assert.doesNotMatch(unread.process.err, /error/)
})

test('sub --deadline ends with 124 and says how many came', async () => {
  const { process, ended } = await subscriber('memory:late', 'a', '--count', '2', '--deadline', '200ms')
  assert.equal((await cli('pub', 'memory:late', 'a', '--message', 'x')).code, 0)
  assert.equal(await ended, 124)
  assert.match(process.err, /error TIMEOUT: Cannot receive 2 messages: 1 came: the deadline of 200 ms passed/)
})

test('pub --deadline ends with 124 while stdin gives nothing, and SIGINT ends it with 130', async () => {
  const waiting = new FakeProcess()
  assert.equal(await waiting.run('pub', 'memory:slow', 'a', '--deadline', '100ms'), 124)
  assert.match(waiting.err, /error TIMEOUT: Cannot publish: 0 of 0 messages/)

  const stopped = new FakeProcess()
  const ended = stopped.run('pub', 'memory:slow', 'a')
  await stopped.until(/connected/)
  stopped.signal('SIGINT')
  assert.equal(await ended, 130)
})

test('pub --json writes its summary as JSON to stderr, and -q writes nothing', async () => {
  const json = await cli('pub', 'memory:summary', 'a', '--message', 'x', '--json', '-q')
  assert.deepEqual(JSON.parse(json.err), { sent: 1, acknowledged: 1 })
  const quiet = await cli('pub', 'memory:summary', 'a', '--message', 'x', '-q')
  assert.deepEqual(quiet, { code: 0, out: '', err: '' })
})
