import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { Server, Socket } from 'node:net'
import test from 'node:test'

import { layLine } from '../../../src/cli/demo/line.ts'

async function echoServer(): Promise<{ server: Server; port: number }> {
  const server = createServer((socket) => socket.on('error', () => undefined).pipe(socket))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  assert.ok(typeof address === 'object' && address !== null)
  return { server, port: address.port }
}

async function dial(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => undefined)
  await once(socket, 'connect')
  return socket
}

/** Unlike `once()`, it does not mind an error before. */
function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once('close', () => resolve()))
}

async function echo(socket: Socket, text: string): Promise<string> {
  socket.write(text)
  const [data] = await once(socket, 'data')
  return String(data)
}

test('a line carries bytes, breaks what it carries when it is cut, and lets through what waited when it is mended', async () => {
  const { server, port } = await echoServer()
  const line = await layLine(port)
  const first = await dial(line.port)
  assert.equal(await echo(first, 'one'), 'one')
  const broken = closed(first)
  line.cut()
  await broken
  const second = await dial(line.port)
  second.write('two')
  const answer = once(second, 'data')
  line.mend()
  assert.equal(String((await answer)[0]), 'two')
  const ended = closed(second)
  await line.close()
  await line.close()
  await ended
  server.close()
})
