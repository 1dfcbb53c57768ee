import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { Server, Socket } from 'node:net'
import { connect, createServer } from 'node:net'
import type { TestContext } from 'node:test'
import { test } from 'node:test'

import type { FaultProxy } from './proxy.ts'
import { startProxy } from './proxy.ts'

/** An echo server with a proxy in front of it. */
interface Line {
  readonly proxy: FaultProxy
  readonly server: Server
  readonly atServer: Set<Socket>
  readonly dial: () => Promise<Socket>
}

async function line(t: TestContext): Promise<Line> {
  const atServer = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    atServer.add(socket)
    socket.on('error', () => socket.destroy())
    socket.on('close', () => atServer.delete(socket))
    socket.pipe(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  assert.ok(typeof address === 'object' && address !== null)
  const proxy = await startProxy({ host: '127.0.0.1', port: address.port })
  const clients: Socket[] = []
  t.after(async () => {
    for (const client of clients) client.destroy()
    await proxy.close()
    server.close()
    for (const socket of atServer) socket.destroy()
  })
  const dial = async () => {
    const socket = connect(proxy.port, '127.0.0.1')
    clients.push(socket)
    await once(socket, 'connect')
    return socket
  }
  return { proxy, server, atServer, dial }
}

async function read(socket: Socket, length: number): Promise<string> {
  let text = ''
  while (text.length < length) {
    const [chunk]: unknown[] = await once(socket, 'data')
    text += String(chunk)
  }
  return text
}

test('startProxy() passes bytes and the end of a stream in both directions, when no fault is switched on', async (t) => {
  const { proxy, dial } = await line(t)
  const socket = await dial()
  const big = 'x'.repeat(1_000_000)
  socket.write(big)
  assert.equal(await read(socket, big.length), big)
  assert.equal(proxy.connections, 1)
  assert.equal(proxy.bytes, 2_000_000)
  socket.resume()
  socket.end()
  await once(socket, 'close')
})

test('cut() ends both sides in an orderly way, and the next connection works', async (t) => {
  const { proxy, dial, atServer } = await line(t)
  const socket = await dial()
  socket.write('hello')
  await read(socket, 5)
  const [serverSide] = atServer
  assert.ok(serverSide)
  const ended = Promise.all([once(socket, 'end'), once(serverSide, 'end')])
  proxy.cut()
  await ended
  const again = await dial()
  again.write('again')
  assert.equal(await read(again, 5), 'again')
  assert.equal(proxy.accepted, 2)
})

test('reset() gives both sides ECONNRESET', async (t) => {
  const { proxy, dial, atServer } = await line(t)
  const socket = await dial()
  socket.write('hello')
  await read(socket, 5)
  const [serverSide] = atServer
  assert.ok(serverSide)
  const errors = Promise.all([once(socket, 'error'), once(serverSide, 'error')])
  proxy.reset()
  for (const [error] of await errors) assert.equal(Reflect.get(Object(error), 'code'), 'ECONNRESET')
})

test('refuse() closes the port and leaves open connections alone, until it is switched off', async (t) => {
  const { proxy, dial } = await line(t)
  const socket = await dial()
  const port = proxy.port
  await proxy.refuse(true)
  await assert.rejects(dial(), { code: 'ECONNREFUSED' })
  socket.write('hello')
  assert.equal(await read(socket, 5), 'hello')
  await proxy.refuse(false)
  assert.equal(proxy.port, port)
  await dial()
})

test('freeze() keeps sockets open and lets nothing through, and what was held goes on afterwards', async (t) => {
  const { proxy, dial, atServer } = await line(t)
  const socket = await dial()
  socket.write('a')
  await read(socket, 1)
  proxy.freeze(true)
  const late = await dial()
  socket.write('b')
  late.write('c')
  await new Promise((resolve) => setTimeout(resolve, 30))
  assert.equal(socket.bytesRead, 1)
  assert.equal(late.bytesRead, 0)
  assert.equal(atServer.size, 1)
  assert.equal(proxy.connections, 2)
  proxy.freeze(false)
  assert.equal(await read(socket, 1), 'b')
  assert.equal(await read(late, 1), 'c')
})

test('delay() holds every chunk back and keeps their order, also when it becomes shorter', async (t) => {
  const { proxy, dial } = await line(t)
  const socket = await dial()
  socket.write('a')
  await read(socket, 1)
  proxy.delay(40)
  const start = performance.now()
  socket.write('b')
  await new Promise((resolve) => setTimeout(resolve, 10))
  proxy.delay(0)
  socket.write('c')
  assert.equal(await read(socket, 2), 'bc')
  assert.ok(performance.now() - start >= 38)
})

test('limit() cuts after so many bytes in one direction, in the middle of a chunk', async (t) => {
  const { proxy, dial } = await line(t)
  const socket = await dial()
  proxy.limit(7)
  socket.write('abcdefghij')
  let got = ''
  socket.on('data', (chunk) => (got += String(chunk)))
  await once(socket, 'end')
  assert.ok('abcdefg'.startsWith(got))
  const second = await dial()
  second.write('abcd')
  assert.equal(await read(second, 4), 'abcd')
  proxy.limit(undefined)
  second.write('efghijkl')
  assert.equal(await read(second, 8), 'efghijkl')
})

test('a connection whose target refuses it ends, and is not counted', async (t) => {
  const { proxy, server, atServer, dial } = await line(t)
  server.close()
  for (const socket of atServer) socket.destroy()
  const socket = await dial()
  socket.on('error', () => undefined)
  await new Promise((resolve) => socket.once('close', resolve))
  assert.equal(proxy.connections, 0)
})

test('close() leaves no socket and no timer, twice, and when frozen with bytes on their way', async (t) => {
  const { proxy, dial, atServer } = await line(t)
  const sockets = await Promise.all([dial(), dial()])
  for (const socket of sockets) {
    socket.on('error', () => undefined)
    socket.write('hello')
    await read(socket, 5)
  }
  proxy.delay(60_000)
  sockets[0].write('late')
  proxy.freeze(true)
  const gone = Promise.all(
    [...sockets, ...atServer].map((socket) => new Promise((resolve) => socket.once('close', resolve))),
  )
  for (const socket of [...sockets, ...atServer]) socket.resume()
  await proxy.close()
  await proxy.close()
  assert.equal(proxy.connections, 0)
  for (const socket of sockets) socket.end()
  for (const socket of atServer) socket.end()
  await gone
  await assert.rejects(dial(), { code: 'ECONNREFUSED' })
})
