import { createServer as createHttpServer } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { createServer } from 'node:net'
import type { Server, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { createServer as createTlsServer } from 'node:tls'
import type { TlsOptions, TLSSocket } from 'node:tls'

import { Aedes } from 'aedes'
import { createWebSocketStream, WebSocketServer } from 'ws'

import { BackhaulError } from '../../contract/index.ts'
import { BrokerGuard } from './broker-guard.ts'
import type { BrokerConnection, GuardOptions } from './broker-guard.ts'

// An MQTT 3.1.1 broker inside this process, for the demo and for tests. It keeps everything in memory.
//
// Invariants:
// - A client is somebody before it may do anything: the common name of its verified certificate, or its user name.
//   A session (client id) belongs to the identity that made it; nobody else can take it over.
// - What the rules do not name is forbidden. A forbidden subscription is answered with 0x80; a forbidden publish ends
//   the client, since MQTT 3.1.1 has no other answer.
// - PUBACK is written after the message was stored for its persistent subscribers and handed to those that are there,
//   in the order of the publishes. (Aedes by itself acknowledges first; `BrokerGuard.takeFirst` turns that round.)

/** TLS of one listener; all material is PEM text. */
export interface ListenerTls {
  /** The broker's certificate chain. */
  readonly cert: string
  /** The private key of `cert`. */
  readonly key: string
  /** The CAs whose client certificates are accepted. */
  readonly ca?: string | readonly string[] | undefined
  /** True: without a certificate from `ca` the handshake fails. @default false */
  readonly requireClientCertificate?: boolean | undefined
}

/** Where the broker listens. */
export interface Listener {
  /** @default 0: a free one */
  readonly port?: number | undefined
  /** Absent: plaintext. */
  readonly tls?: ListenerTls | undefined
  /** True: MQTT inside WebSocket messages. @default false */
  readonly websocket?: boolean | undefined
}

/** How the embedded broker is set up. */
export interface EmbeddedBrokerOptions<Name extends string = string> extends GuardOptions {
  /** Where it listens, by names of the caller's choice. */
  readonly listeners: Readonly<Record<Name, Listener>>
  /** @default '127.0.0.1' */
  readonly host?: string | undefined
  /** More connections at one listener are closed at once. @default 1000 */
  readonly maxConnections?: number | undefined
}

/** A running embedded broker. */
export interface EmbeddedBroker<Name extends string = string> extends AsyncDisposable {
  /** The port of a listener. */
  port(listener: Name): number
  /** The clients that are connected now. */
  connections(): BrokerConnection[]
  /** Ends every connection and listener; resolves when no socket and no timer is left. Twice is fine. */
  close(): Promise<void>
}

/**
 * Starts the broker; resolves when every listener is bound.
 *
 * @throws BackhaulError `UNREACHABLE` when a port cannot be bound, `KEY_INVALID` when the TLS material is not usable.
 */
export async function startEmbeddedBroker<Name extends string>(
  options: EmbeddedBrokerOptions<Name>,
): Promise<EmbeddedBroker<Name>> {
  const guard = new BrokerGuard(options)
  const broker = await Aedes.createBroker({
    connectTimeout: 10_000,
    drainTimeout: 10_000,
    maxClientsIdLength: 128,
    authenticate: (client, user, password, done) => {
      const refusal = guard.authenticate(client, user, password)
      // its return codes are declared as a const enum, which a module that is compiled by itself cannot name
      Reflect.apply(done, undefined, [refusal ?? null, refusal === undefined])
    },
    authorizePublish: (client, packet, done) => guard.authorizePublish(client, packet, done),
    authorizeSubscribe: (client, subscription, done) => {
      done(null, guard.maySubscribe(client, subscription.topic) ? subscription : null)
    },
  })
  guard.takeFirst(broker)
  broker.on('client', (client) => guard.connected(client))
  broker.on('clientDisconnect', (client) => guard.disconnected(client))
  const doors = new Map<string, Door>()
  const close = async (): Promise<void> => {
    await new Promise<void>((resolve) => broker.close(resolve))
    await Promise.all(Array.from(doors.values(), (door) => door.close()))
  }
  try {
    for (const [name, listener] of Object.entries<Listener>(options.listeners)) {
      doors.set(name, await openDoor(name, listener, options, guard, broker))
    }
  } catch (error) {
    await close()
    throw error
  }
  return {
    port: (listener) => doors.get(listener)?.port ?? 0,
    connections: () => guard.connections(),
    close,
    [Symbol.asyncDispose]: close,
  }
}

/** One listener with all its sockets. */
interface Door {
  readonly port: number
  close(): Promise<void>
}

async function openDoor(
  name: string,
  listener: Listener,
  options: EmbeddedBrokerOptions,
  guard: BrokerGuard,
  broker: Aedes,
): Promise<Door> {
  const handle = (stream: Duplex, socket: Socket, request?: IncomingMessage): void => {
    guard.arrived(stream, name, socket)
    broker.handle(stream, request)
  }
  const server = makeServer(name, listener, handle)
  server.maxConnections = options.maxConnections ?? 1000
  server.on('tlsClientError', (error: Error, socket: TLSSocket) => guard.handshakeFailed(error, socket))
  // every TCP socket, from its first byte: one that never finishes its handshake is closed too
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  const port = await bind(server, name, listener.port ?? 0, options.host ?? '127.0.0.1')
  return {
    port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        for (const socket of sockets) socket.destroy()
      }),
  }
}

type Handle = (stream: Duplex, socket: Socket, request?: IncomingMessage) => void

function makeServer(name: string, listener: Listener, handle: Handle): Server {
  const tls = listener.tls && tlsOptions(name, listener.tls)
  try {
    if (listener.websocket === true) {
      const server = tls === undefined ? createHttpServer() : createHttpsServer(tls)
      const sockets = new WebSocketServer({
        server,
        handleProtocols: (offered) => offered.has('mqtt') && 'mqtt',
      })
      sockets.on('connection', (socket, request) =>
        handle(createWebSocketStream(socket), request.socket, request),
      )
      return server
    }
    const accept = (socket: Socket): void => handle(socket, socket)
    return tls === undefined ? createServer(accept) : createTlsServer(tls, accept)
  } catch (cause) {
    throw new BackhaulError(
      'KEY_INVALID',
      `Cannot start the listener "${name}": its TLS material is not usable, give the certificate and key as PEM text`,
      cause,
    )
  }
}

function tlsOptions(name: string, tls: ListenerTls): TlsOptions {
  const demand = tls.requireClientCertificate ?? false
  if (demand && tls.ca === undefined) {
    throw new BackhaulError(
      'INVALID_OPTIONS',
      `Cannot start the listener "${name}": it demands client certificates and has no "ca", name the CA that issues them`,
    )
  }
  const ca = typeof tls.ca === 'string' ? tls.ca : tls.ca && [...tls.ca]
  return {
    cert: tls.cert,
    key: tls.key,
    ...(ca !== undefined && { ca, requestCert: true, rejectUnauthorized: demand }),
    minVersion: 'TLSv1.2',
    handshakeTimeout: 10_000,
  }
}

function bind(server: Server, name: string, port: number, host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const failed = (cause: Error): void => {
      reject(
        new BackhaulError(
          'UNREACHABLE',
          `Cannot start the listener "${name}": port ${port} of ${host} cannot be bound, choose another`,
          cause,
        ),
      )
    }
    server.once('error', failed)
    server.listen({ port, host }, () => {
      server.off('error', failed)
      const address = server.address()
      resolve(typeof address === 'object' && address !== null ? address.port : 0)
    })
  })
}
