import { once } from 'node:events'
import type { AddressInfo, Server, Socket } from 'node:net'
import { connect, createServer } from 'node:net'

import { deferred } from '../../src/kit/deferred.ts'
import { resetSocket } from '../../src/kit/reset-socket.ts'

/**
 * A TCP proxy that does to its connections what bad networks do. It knows no protocol: it sees bytes.
 * All switches apply to the connections that are open and to those that come later, until they are switched off.
 */
export interface FaultProxy extends AsyncDisposable {
  /** Where to connect to, on 127.0.0.1. The same for the whole life of the proxy. */
  readonly port: number
  /** How many clients are connected now. */
  readonly connections: number
  /** How many clients have connected since the start. */
  readonly accepted: number
  /** How many payload bytes went through, in both directions together. */
  readonly bytes: number
  /** Ends every connection in an orderly way (FIN to both sides). Bytes that were held back are lost. */
  cut(): void
  /** Resets every connection (RST to both sides). */
  reset(): void
  /** On: the port is closed, so that connecting fails with ECONNREFUSED; open connections stay. Off: it listens again. */
  refuse(on: boolean): Promise<void>
  /** On: connections stay open and are accepted, and no byte, no FIN and no RST goes through. Off: what was held goes on. */
  freeze(on: boolean): void
  /** Every byte and every FIN comes `ms` milliseconds later; order is kept. 0 switches it off. */
  delay(ms: number): void
  /**
   * Each connection is cut (FIN) once `bytes` more bytes went through it in one of its directions, in the middle of
   * a packet where it falls so. `undefined` lifts it.
   */
  limit(bytes: number | undefined): void
  /** Ends everything. Nothing is left open; twice is fine. */
  close(): Promise<void>
}

/** Starts a proxy on a free port of 127.0.0.1 in front of `target`. */
export async function startProxy(target: {
  readonly host: string
  readonly port: number
}): Promise<FaultProxy> {
  const proxy = new Proxy(target)
  await proxy.listen()
  return proxy
}

/** What all connections of one proxy look up at every chunk. */
interface Switches {
  frozen: boolean
  delayMs: number
  bytes: number
}

class Proxy implements FaultProxy {
  readonly #target: { readonly host: string; readonly port: number }
  readonly #switches: Switches = { frozen: false, delayMs: 0, bytes: 0 }
  readonly #pairs = new Set<Pair>()
  #limit: number | undefined
  #server: Server | undefined
  #port = 0
  #accepted = 0
  #closed = false

  constructor(target: { readonly host: string; readonly port: number }) {
    this.#target = target
  }

  get port(): number {
    return this.#port
  }

  get connections(): number {
    return this.#pairs.size
  }

  get accepted(): number {
    return this.#accepted
  }

  get bytes(): number {
    return this.#switches.bytes
  }

  async listen(): Promise<void> {
    const server = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, (client) => {
      this.#accept(client)
    })
    this.#server = server
    server.listen(this.#port, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    if (isPort(address)) this.#port = address.port
  }

  cut(): void {
    for (const pair of this.#pairs) pair.cut()
  }

  reset(): void {
    for (const pair of this.#pairs) pair.reset()
  }

  async refuse(on: boolean): Promise<void> {
    if (on) {
      this.#server?.close()
      this.#server = undefined
    } else if (this.#server === undefined && !this.#closed) {
      await this.listen()
    }
  }

  freeze(on: boolean): void {
    this.#switches.frozen = on
    for (const pair of this.#pairs) pair.look()
  }

  delay(ms: number): void {
    this.#switches.delayMs = ms
  }

  limit(bytes: number | undefined): void {
    this.#limit = bytes
    for (const pair of this.#pairs) pair.limit(bytes)
  }

  async close(): Promise<void> {
    this.#closed = true
    const server = this.#server
    this.#server = undefined
    // a reset that has begun gets its turns to end, before its socket is destroyed: see resetSocket()
    await nextTurn()
    await nextTurn()
    const gone = [...this.#pairs].map((pair) => pair.gone)
    for (const pair of this.#pairs) pair.destroy()
    await Promise.all(gone)
    if (server !== undefined) {
      server.close()
      await once(server, 'close')
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #accept(client: Socket): void {
    this.#accepted += 1
    const pair = new Pair(client, this.#target, this.#switches)
    void pair.gone.then(() => this.#pairs.delete(pair))
    pair.limit(this.#limit)
    this.#pairs.add(pair)
    pair.look()
  }
}

/** A client, and its own connection to the target, which is dialled once the line is not frozen. */
class Pair {
  readonly #client: Socket
  readonly #target: { readonly host: string; readonly port: number }
  readonly #switches: Switches
  readonly #gone = deferred()
  #server: Socket | undefined
  #up: Direction | undefined
  #down: Direction | undefined
  #limit: number | undefined

  constructor(client: Socket, target: { readonly host: string; readonly port: number }, switches: Switches) {
    this.#client = client
    this.#target = target
    this.#switches = switches
    this.#watch(client)
  }

  /** Resolves when both sockets are closed. */
  get gone(): Promise<void> {
    return this.#gone.promise
  }

  /** Acts on a change of `frozen`. */
  look(): void {
    if (!this.#switches.frozen && this.#server === undefined && !this.#client.destroyed) this.#dial()
    this.#up?.look()
    this.#down?.look()
  }

  limit(bytes: number | undefined): void {
    this.#limit = bytes
    if (this.#up !== undefined) this.#up.left = bytes
    if (this.#down !== undefined) this.#down.left = bytes
  }

  cut(): void {
    this.#end((socket) => socket.destroySoon())
  }

  reset(): void {
    this.#end(resetSocket)
  }

  destroy(): void {
    this.#end((socket) => socket.destroy())
  }

  #dial(): void {
    const server = connect({ ...this.#target, allowHalfOpen: true, noDelay: true })
    this.#server = server
    this.#watch(server)
    const cut = () => this.cut()
    this.#up = new Direction(this.#client, server, this.#switches, cut)
    this.#down = new Direction(server, this.#client, this.#switches, cut)
    this.limit(this.#limit)
  }

  /** A reset on one side goes through to the other; a frozen line shows neither side what became of the other. */
  #watch(socket: Socket): void {
    socket.on('error', () => {
      if (!this.#switches.frozen) this.reset()
    })
    socket.on('close', () => {
      if (this.#client.closed && this.#server?.closed !== false) this.#gone.resolve()
    })
  }

  #end(how: (socket: Socket) => unknown): void {
    this.#up?.stop()
    this.#down?.stop()
    how(this.#client)
    if (this.#server !== undefined) how(this.#server)
  }
}

/** What a direction holds back: bytes, or the FIN. */
interface Held {
  readonly chunk: Buffer | undefined
  readonly dueMs: number
}

/** One direction of a connection. Chunks and the FIN go through one queue, so they never overtake each other. */
class Direction {
  readonly #from: Socket
  readonly #to: Socket
  readonly #switches: Switches
  readonly #cut: () => void
  readonly #held: Held[] = []
  #timer: NodeJS.Timeout | undefined
  #full = false
  #stopped = false
  /** How many bytes may still pass. */
  left: number | undefined

  constructor(from: Socket, to: Socket, switches: Switches, cut: () => void) {
    this.#from = from
    this.#to = to
    this.#switches = switches
    this.#cut = cut
    from.on('data', (chunk: Buffer) => this.#take(chunk))
    from.on('end', () => this.#take(undefined))
    to.on('drain', () => {
      this.#full = false
      this.look()
    })
  }

  /** Goes on, or stands still, as the switches say now. */
  look(): void {
    if (this.#stopped) return
    if (this.#switches.frozen) {
      clearTimeout(this.#timer)
      this.#timer = undefined
      this.#from.pause()
      return
    }
    if (!this.#full) this.#from.resume()
    this.#flush()
  }

  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
    this.#held.length = 0
  }

  #take(chunk: Buffer | undefined): void {
    if (this.#stopped) return
    this.#held.push({ chunk, dueMs: performance.now() + this.#switches.delayMs })
    if (!this.#switches.frozen) this.#flush()
  }

  #flush(): void {
    if (this.#timer !== undefined) return
    for (let next = this.#held[0]; next !== undefined; next = this.#held[0]) {
      // timers may fire up to a millisecond early
      const waitMs = next.dueMs - performance.now() - 1
      if (waitMs > 0) {
        this.#timer = setTimeout(() => {
          this.#timer = undefined
          this.#flush()
        }, waitMs)
        return
      }
      this.#held.shift()
      this.#pass(next.chunk)
    }
  }

  #pass(chunk: Buffer | undefined): void {
    if (chunk === undefined) {
      this.#to.end()
      return
    }
    const part = this.left === undefined ? chunk : chunk.subarray(0, this.left)
    this.#switches.bytes += part.length
    if (!this.#to.write(part)) {
      this.#full = true
      this.#from.pause()
    }
    if (this.left === undefined) return
    this.left -= part.length
    if (this.left === 0) this.#cut()
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}

function isPort(address: string | AddressInfo | null): address is AddressInfo {
  return typeof address === 'object' && address !== null
}
