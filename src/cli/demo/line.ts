import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { Socket } from 'node:net'

import { resetSocket } from '../../kit/reset-socket.ts'

/** A line to a broker that can be cut: a TCP relay. */
export interface Line {
  /** Where to dial in place of the broker. */
  readonly port: number
  /** Breaks every connection. Those that are tried from now on get no answer, as when a cable is out. */
  cut(): void
  /** Mends it: what was tried in the meantime goes through now. */
  mend(): void
  /** Ends it and every connection. Twice is fine. */
  close(): Promise<void>
}

/** Lays a line to a port of this machine. */
export async function layLine(brokerPort: number): Promise<Line> {
  const sockets = new Set<Socket>()
  const waiting = new Set<Socket>()
  let isCut = false
  const add = (socket: Socket): void => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.once('close', () => {
      sockets.delete(socket)
      waiting.delete(socket)
    })
  }
  const through = (device: Socket): void => {
    const broker = connect(brokerPort, '127.0.0.1')
    add(broker)
    device.pipe(broker).pipe(device)
    device.once('close', () => broker.destroy())
    broker.once('close', () => device.destroy())
  }
  const server = createServer({ allowHalfOpen: true }, (device) => {
    add(device)
    if (isCut) waiting.add(device)
    else through(device)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    cut: () => {
      isCut = true
      for (const socket of sockets) resetSocket(socket)
    },
    mend: () => {
      isCut = false
      for (const device of waiting) through(device)
      waiting.clear()
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        for (const socket of sockets) socket.destroy()
      }),
  }
}
