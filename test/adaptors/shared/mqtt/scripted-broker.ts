import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'

import { generate, parser } from 'mqtt-packet'
import type { IConnackPacket, Packet } from 'mqtt-packet'

/** One client of a scripted broker. */
export interface ScriptedClient {
  /** The connection. */
  readonly socket: Socket
  /** Every packet that came, in order. */
  readonly packets: Packet[]
  /** Sends a packet. */
  send(packet: Packet): void
  /** Sends bytes as they are. */
  raw(bytes: Uint8Array): void
  /** Waits until `count` packets of a kind have come, and gives the last of them. */
  until(cmd: Packet['cmd'], count?: number): Promise<Packet>
}

/** What the broker does with a packet; without it, the client is only written down. */
export type Script = (packet: Packet, client: ScriptedClient) => void

/**
 * A broker that does what the test tells it, right or wrong: the peer that no real broker is willing to be.
 */
export class ScriptedBroker {
  /** The clients, in order of arrival. */
  readonly clients: ScriptedClient[] = []
  readonly #server: Server
  readonly #level: 4 | 5
  #stopped: Promise<void> | undefined

  private constructor(server: Server, level: 4 | 5) {
    this.#server = server
    this.#level = level
  }

  /** Starts one on a free port. */
  static async start(script: Script, level: 4 | 5 = 5): Promise<ScriptedBroker> {
    const server = createServer()
    const broker = new ScriptedBroker(server, level)
    server.on('connection', (socket) => broker.#accept(socket, script))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return broker
  }

  /** Its address. */
  get url(): string {
    return `mqtt://127.0.0.1:${this.port}`
  }

  /** Its port. */
  get port(): number {
    const address: AddressInfo | string | null = this.#server.address()
    return typeof address === 'object' && address !== null ? address.port : 0
  }

  /** The client that came last. */
  get client(): ScriptedClient {
    const last = this.clients.at(-1)
    if (last === undefined) throw new Error('no client has come')
    return last
  }

  /** Resolves when no connection is open. */
  async deserted(): Promise<void> {
    for (const { socket } of this.clients) if (!socket.closed) await once(socket, 'close')
  }

  /** Ends it with all connections. Twice is fine. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop()
    return this.#stopped
  }

  /** The same. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  async #stop(): Promise<void> {
    for (const { socket } of this.clients) socket.destroy()
    this.#server.close()
    await once(this.#server, 'close')
  }

  #accept(socket: Socket, script: Script): void {
    const packets: Packet[] = []
    // several waits at once are usual
    const reader = parser({ protocolVersion: this.#level })
    reader.setMaxListeners(0)
    const options = { protocolVersion: this.#level }
    const client: ScriptedClient = {
      socket,
      packets,
      send: (packet) => void socket.write(generate(packet, options)),
      raw: (bytes) => void socket.write(bytes),
      async until(cmd, count = 1) {
        for (;;) {
          const found = packets.filter((packet) => packet.cmd === cmd)[count - 1]
          if (found !== undefined) return found
          await once(reader, 'packet')
        }
      },
    }
    // as a broker that has set TCP_NODELAY: answers are not held back for ours
    socket.setNoDelay(true)
    this.clients.push(client)
    socket.on('error', () => undefined)
    socket.on('data', (chunk) => reader.parse(chunk))
    reader.on('error', () => socket.destroy())
    reader.on('packet', (packet) => {
      packets.push(packet)
      script(packet, client)
    })
  }
}

/** What `wellBehaved` grants. */
export interface Grants {
  /** Whether it had kept a session. */
  readonly sessionPresent?: boolean
  /** Properties of CONNACK. */
  readonly properties?: NonNullable<IConnackPacket['properties']>
  /** False: PUBLISH and PUBREL stay unanswered. */
  readonly acknowledges?: boolean
}

/** Answers everything as a broker should, within what it grants. */
export function wellBehaved(grants: Grants = {}): Script {
  const { sessionPresent = false, properties, acknowledges = true } = grants
  return (packet, client) => {
    const messageId = packet.messageId ?? 0
    const { cmd } = packet
    if (cmd === 'connect') {
      client.send({ cmd: 'connack', ...OK, sessionPresent, ...(properties && { properties }) })
    } else if (cmd === 'pingreq') {
      client.send({ cmd: 'pingresp' })
    } else if (cmd === 'subscribe') {
      client.send({ cmd: 'suback', messageId, granted: packet.subscriptions.map((one) => one.qos) })
    } else if (cmd === 'unsubscribe') {
      client.send({ cmd: 'unsuback', messageId, granted: packet.unsubscriptions.map(() => 0) })
    } else if (cmd === 'publish' && packet.qos > 0 && acknowledges) {
      client.send({ cmd: packet.qos === 1 ? 'puback' : 'pubrec', messageId, reasonCode: 0 })
    } else if (cmd === 'pubrel' && acknowledges) {
      client.send({ cmd: 'pubcomp', messageId, reasonCode: 0 })
    }
  }
}

const OK = { reasonCode: 0, returnCode: 0 }
