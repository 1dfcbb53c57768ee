import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { AddressInfo, Socket } from 'node:net'
import { createServer } from 'node:net'
import { test } from 'node:test'

import { amqp } from '../../../../src/adaptors/amqp/index.ts'
import type { ErrorCode } from '../../../../src/contract/index.ts'
import { BackhaulError } from '../../../../src/contract/index.ts'
import { dial, requestFor } from '../support.ts'

/** Runs `use` with the address of a server that does `serve` with its connections. */
async function withServer(serve: (socket: Socket) => void, use: (url: string) => Promise<void>) {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    serve(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address: AddressInfo | string | null = server.address()
  const port = typeof address === 'object' ? (address?.port ?? 0) : 0
  try {
    await use(`amqp://127.0.0.1:${port}`)
  } finally {
    for (const socket of sockets) socket.destroy()
    server.close()
    await once(server, 'close')
  }
}

const method = (...bytes: readonly number[]) => Buffer.from([1, 0, 0, 0, 0, 0, bytes.length, ...bytes, 0xce])

const STRANGERS: Readonly<
  Record<string, { serve: (socket: Socket) => void; code: ErrorCode; says: RegExp }>
> = {
  'hangs up': {
    serve: (socket) => socket.end(),
    code: 'UNREACHABLE',
    says: /closed the connection before it answered/,
  },
  'speaks HTTP': {
    serve: (socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'),
    code: 'PROTOCOL_ERROR',
    says: /broker of AMQP 0-9-1/,
  },
  'speaks another version of AMQP': {
    serve: (socket) => socket.end('AMQP\x03\x01\0\0'),
    code: 'PROTOCOL_ERROR',
    says: /broker of AMQP 0-9-1/,
  },
  'answers a method that makes no sense': {
    serve: (socket) => socket.write(method(0, 60, 0, 60)),
    code: 'PROTOCOL_ERROR',
    says: /the method 60\.60 in the introduction/,
  },
  'opens before it was asked': {
    serve: (socket) => socket.write(method(0, 10, 0, 41, 0)),
    code: 'PROTOCOL_ERROR',
    says: /the method 10\.41 in the introduction/,
  },
  'says nothing': { serve: () => undefined, code: 'TIMEOUT', says: /did not answer within 200 ms/ },
}

for (const [name, { serve, code, says }] of Object.entries(STRANGERS)) {
  test(`dial() tells a peer that ${name}`, async () => {
    await withServer(serve, async (url) => {
      const options = code === 'TIMEOUT' ? { connectTimeoutMs: 200 } : {}
      await assert.rejects(dial(url, { options }), (error) => {
        assert.ok(error instanceof BackhaulError)
        assert.equal(error.code, code, error.message)
        assert.match(error.message, says)
        return true
      })
    })
  })
}

test('dial() ends at once when its caller gives up, and leaves no socket', async () => {
  await withServer(
    (socket) => socket.resume(),
    async (url) => {
      const abort = new AbortController()
      const dialling = amqp.dial(requestFor(url), abort.signal)
      setImmediate(() => abort.abort())
      await assert.rejects(dialling, { code: 'ABORTED' })
    },
  )
})
