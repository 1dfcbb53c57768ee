import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync, statSync } from 'node:fs'
import { mkdtemp, rename, rm } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'

import { socketInput } from '../../../src/agent/inputs/socket.ts'
import type { SocketPlace } from '../../../src/agent/inputs/socket.ts'
import { deferred } from '../../../src/kit/deferred.ts'
import { Collector, started } from './collect.ts'

async function listening(
  place: SocketPlace,
  sink: Collector,
): Promise<{ address: string; stop: () => Promise<void> }> {
  const address = deferred<string>()
  const { ended, stop } = started(socketInput(place, address.resolve), sink)
  ended.catch(address.reject)
  return { address: await address.promise, stop }
}

async function socketPath(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'backhaul-'))
  t.after(() => rm(folder, { recursive: true }))
  return join(folder, 'input.sock')
}

function writer(address: string): Socket {
  const [host = '', port = ''] = address.split(':')
  return connect({ host, port: Number(port) })
}

test('socketInput() takes lines from several writers over TCP, and ends them when it is stopped', async () => {
  const sink = new Collector()
  const { address, stop } = await listening({ host: '127.0.0.1', port: 0 }, sink)
  const [first, second] = [writer(address), writer(address)]
  first.write('a1\na')
  await sink.until(1)
  second.end('b1\nb2')
  await sink.until(3)
  first.write('2\n')
  await sink.until(4)
  assert.deepEqual(sink.lines, ['a1', 'b1', 'b2', 'a2'])
  const closed = once(first, 'close')
  first.resume()
  await stop()
  await closed
})

test('socketInput() goes on after a writer that breaks off, and skips a line that is too long', async () => {
  const sink = new Collector(10)
  const { address, stop } = await listening({ host: '127.0.0.1', port: 0 }, sink)
  const broken = writer(address)
  await once(broken, 'connect')
  broken.write('whole\nhal')
  await sink.until(1)
  broken.resetAndDestroy()
  writer(address).end(`${'x'.repeat(100_000)}\nnext\n`)
  await sink.until(3)
  assert.deepEqual(sink.lines, ['whole', 'next'])
  assert.equal(sink.skipped, 1)
  await stop()
})

test('socketInput() listens on a Unix socket for this user and group, and takes its file away', async (t) => {
  const path = await socketPath(t)
  const sink = new Collector()
  const { address, stop } = await listening({ path }, sink)
  assert.equal(address, path)
  assert.equal(statSync(path).mode & 0o777, 0o660)
  connect(path).end('hello\n')
  await sink.until(1)
  await stop()
  assert.equal(existsSync(path), false)
})

test('socketInput() takes the place of a socket file that a killed process left', async (t) => {
  const path = await socketPath(t)
  const dead = createServer().listen(path)
  await once(dead, 'listening')
  // a process that is killed does not take its file away: the same file under the same name is put back
  await rename(path, `${path}.kept`)
  dead.close()
  await rename(`${path}.kept`, path)
  const { stop } = await listening({ path }, new Collector())
  await stop()
})

test('socketInput() leaves a place alone that somebody listens at', async (t) => {
  const path = await socketPath(t)
  const other = createServer().listen(path)
  await once(other, 'listening')
  t.after(() => other.close())
  await assert.rejects(listening({ path }, new Collector()), {
    code: 'INPUT_FAILED',
    message: `Cannot listen at "${path}": something else listens there, choose another place`,
  })
  assert.equal(existsSync(path), true)
})

test('socketInput() says when the folder of its socket is missing', async () => {
  await assert.rejects(listening({ path: '/nowhere/x.sock' }, new Collector()), {
    code: 'INPUT_FAILED',
    message: /there is no such folder, make it|this user may not/,
  })
})
