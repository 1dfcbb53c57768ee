import { once } from 'node:events'
import { chmod, unlink } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import type { Server, Socket } from 'node:net'

import { BackhaulError } from '../../contract/index.ts'
import type { Input, LineSink } from './input.ts'
import { pumpLines } from './input.ts'

/** Where a socket input listens: a path of a Unix socket, or a port on loopback. */
export type SocketPlace = { readonly path: string } | { readonly host: string; readonly port: number }

/** More writers than this at once are turned away. */
const MAX_WRITERS = 64

/**
 * A server that takes lines from any number of writers, each in its own order. It never ends by itself. A writer that
 * breaks off ends only its own lines. A Unix socket may be used by this user and group only.
 *
 * @param listening - told the address once it listens; with port 0 the one that was chosen
 */
export function socketInput(place: SocketPlace, listening: (address: string) => void): Input {
  return {
    finite: false,
    async run(sink, signal) {
      const writers = new Map<Socket, Promise<void>>()
      const server = createServer((socket) => {
        writers.set(
          socket,
          serveWriter(socket, sink).finally(() => writers.delete(socket)),
        )
      })
      server.maxConnections = MAX_WRITERS
      try {
        await listen(server, place)
        listening(shownAddress(server))
        await ended(server, signal)
      } catch (cause) {
        throw failure(place, cause)
      } finally {
        server.close()
        for (const socket of writers.keys()) socket.destroy()
        await Promise.all(writers.values())
      }
    },
  }
}

async function serveWriter(socket: Socket, sink: LineSink): Promise<void> {
  try {
    await pumpLines(socket, sink)
  } catch {
    // the writer broke off: what it had finished is taken, the rest never was a line
  } finally {
    socket.destroy()
  }
}

async function listen(server: Server, place: SocketPlace): Promise<void> {
  try {
    await listening(server, place)
  } catch (error) {
    // a socket file that a killed process left behind is in the way of nobody
    if (!('path' in place) || !hasCode(error, 'EADDRINUSE') || (await answers(place.path))) throw error
    await unlink(place.path)
    await listening(server, place)
  }
  if ('path' in place) await chmod(place.path, 0o660)
}

async function listening(server: Server, place: SocketPlace): Promise<void> {
  const failed = once(server, 'listening') // rejects when the server says 'error' first
  server.listen(place)
  await failed
}

async function answers(path: string): Promise<boolean> {
  const socket = connect(path)
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}

/** Resolves when the signal aborts; rejects when the server fails. */
async function ended(server: Server, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return
  await new Promise<void>((resolve, reject) => {
    const onAbort = () => {
      server.off('error', onError)
      resolve()
    }
    const onError = (error: Error) => {
      signal.removeEventListener('abort', onAbort)
      reject(error)
    }
    signal.addEventListener('abort', onAbort, { once: true })
    server.once('error', onError)
  })
}

function shownAddress(server: Server): string {
  const address = server.address()
  if (typeof address === 'string') return address
  return address === null ? '' : `${address.address}:${address.port}`
}

function failure(place: SocketPlace, cause: unknown): BackhaulError {
  const shown = 'path' in place ? place.path : `${place.host}:${place.port}`
  return new BackhaulError('INPUT_FAILED', `Cannot listen at "${shown}": ${why(cause)}`, cause)
}

function why(cause: unknown): string {
  if (hasCode(cause, 'EADDRINUSE')) return 'something else listens there, choose another place'
  if (hasCode(cause, 'EACCES')) return 'this user may not, choose another place or change the permissions'
  if (hasCode(cause, 'ENOENT')) return 'there is no such folder, make it'
  return cause instanceof Error ? cause.message : String(cause)
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}
