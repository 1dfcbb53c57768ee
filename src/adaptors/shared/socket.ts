import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { connect as connectTcp, isIP } from 'node:net'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { connect as connectTls } from 'node:tls'
import type { ConnectionOptions, PeerCertificate, TLSSocket } from 'node:tls'

import type { PeerTls, TlsSettings } from '../../contract/index.ts'
import { BackhaulError } from '../../contract/index.ts'
import type { NetworkContext } from '../../kit/network-errors.ts'
import { networkError, systemCode } from '../../kit/network-errors.ts'

/*
 * Opens a byte stream to a broker: TCP, then TLS over it where asked for, then WebSocket over that where asked for.
 * Each step has the same rule: it ends in a stream, or in a typed error with every socket destroyed. The steps are
 * apart from one another so that an error is known to be of the network, of TLS or of the WebSocket.
 */

/** How long one address of a name may take before the next one is tried too, in milliseconds. */
const NEXT_ADDRESS_MS = 1000
/** How long finding out about the other side of TLS may take, in milliseconds. */
const PROBE_MS = 2000

/** How long a peer may be silent in the TLS handshake before it is asked in plaintext, in milliseconds. */
const SILENT_MS = 1000

/** Where and how to open a stream. */
export interface SocketRequest {
  /** Name or IP address. */
  readonly host: string
  /** TCP port. */
  readonly port: number
  /** TLS settings, or `undefined` for plaintext. */
  readonly tls: TlsSettings | undefined
  /** WebSocket over it, or `undefined` for the bare stream. */
  readonly websocket: WebSocketRequest | undefined
  /**
   * A first packet of the protocol without any credentials. When the peer drops the TLS handshake without a word, or says none for a
   * while, it is sent in plaintext over another connection: an answer tells that the port does not speak TLS. `undefined`: this is not asked.
   */
  readonly plaintextHello?: Uint8Array | undefined
}

/** A WebSocket's part of a request. */
export interface WebSocketRequest {
  /** Path and query, with the leading slash. */
  readonly path: string
  /** Further headers of the HTTP request. */
  readonly headers: Readonly<Record<string, string>>
  /** The subprotocol, for example `mqtt`. */
  readonly protocol: string
  /** Larger frames end the stream. */
  readonly maxFrameBytes: number
}

/** An open stream, ready for the first byte of the protocol. The caller owns it and destroys it. */
export interface OpenSocket {
  /** The bytes, both ways. */
  readonly stream: Duplex
  /** The TLS session, or `undefined` for plaintext. */
  readonly tls: PeerTls | undefined
  /** For {@link networkError}: the same facts at a later phase. */
  readonly context: NetworkContext
}

/** Host and port as they are written in an address: IPv6 in brackets. */
export function hostAndPort(host: string, port: number): string {
  return isIP(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`
}

/**
 * Opens a stream. Every address of a name is tried; small packets are sent at once (TCP_NODELAY).
 *
 * @throws BackhaulError the reason with its fix; `ABORTED` when `signal` aborts. No socket is left behind.
 */
export async function openSocket(request: SocketRequest, signal: AbortSignal): Promise<OpenSocket> {
  const address = hostAndPort(request.host, request.port)
  const tcp = await openTcp(request, address, signal)
  const secured =
    request.tls === undefined ? undefined : await secure(tcp, request, request.tls, address, signal)
  const context: NetworkContext = {
    address,
    phase: 'answer',
    offeredCertificate: request.tls !== undefined && offersCertificate(request.tls),
    keysAgreed: secured !== undefined,
  }
  const socket = secured ?? tcp
  const tls = secured === undefined || request.tls === undefined ? undefined : factsOf(secured, request.tls)
  const stream =
    request.websocket === undefined
      ? socket
      : await upgrade(socket, request, request.websocket, context, signal)
  return { stream, tls, context }
}

async function openTcp(request: SocketRequest, address: string, signal: AbortSignal): Promise<Socket> {
  stopIfAborted(signal, address)
  const socket = connectTcp({
    host: request.host,
    port: request.port,
    noDelay: true,
    keepAlive: true,
    autoSelectFamily: true,
    autoSelectFamilyAttemptTimeout: NEXT_ADDRESS_MS,
  })
  return untilReady(socket, 'connect', { address, phase: 'connect' }, signal)
}

async function secure(
  tcp: Socket,
  request: SocketRequest,
  settings: TlsSettings,
  address: string,
  signal: AbortSignal,
): Promise<TLSSocket> {
  const context = { address, offeredCertificate: offersCertificate(settings), keysAgreed: false }
  let socket: TLSSocket
  try {
    socket = connectTls({ ...tlsOptions(settings, request.host), socket: tcp })
  } catch (cause) {
    tcp.destroy()
    throw networkError(cause, { ...context, phase: 'settings' })
  }
  socket.once('keylog', () => {
    context.keysAgreed = true
  })
  const isPlaintext = async () => {
    return tcp.bytesRead === 0 && !signal.aborted && (await answers(request, signal)) && tcp.bytesRead === 0
  }
  const lookAtSilence = async () => {
    if (await isPlaintext()) socket.destroy(notTls(address))
  }
  const silence = setTimeout(() => void lookAtSilence(), SILENT_MS)
  try {
    return await untilReady(socket, 'secureConnect', context, signal, 'handshake')
  } catch (error) {
    // the wrapper does not always destroy what it wraps
    tcp.destroy()
    if (error instanceof BackhaulError && error.code === 'TLS_NOT_SPOKEN') throw error
    if (await isPlaintext()) throw notTls(address, error)
    throw error
  } finally {
    clearTimeout(silence)
  }
}

function notTls(address: string, cause?: unknown): BackhaulError {
  return new BackhaulError(
    'TLS_NOT_SPOKEN',
    `Cannot connect to ${address}: the port does not speak TLS, dial the TLS port or use the plaintext address form`,
    cause,
  )
}

/** The first byte of a TLS record that is an alert: what a TLS port may answer plaintext with. */
const TLS_ALERT = 0x15

/** Whether the port answers the protocol in plaintext. */
async function answers(request: SocketRequest, signal: AbortSignal): Promise<boolean> {
  if (request.plaintextHello === undefined) return false
  const limited = AbortSignal.any([signal, AbortSignal.timeout(PROBE_MS)])
  const plain = await openTcp(request, request.host, limited).catch(ignore)
  if (plain === undefined) return false
  try {
    plain.write(request.plaintextHello)
    return await Promise.race([
      once(plain, 'data', { signal: limited }).then(
        ([chunk]) => Buffer.isBuffer(chunk) && chunk[0] !== TLS_ALERT,
      ),
      once(plain, 'close', { signal: limited }).then(() => false),
    ])
  } catch {
    return false
  } finally {
    plain.destroy()
  }
}

/** Whether the port starts a TLS handshake: for a peer that dropped a plaintext connection without a word. */
export async function speaksTls(host: string, port: number, signal: AbortSignal): Promise<boolean> {
  const limited = AbortSignal.any([signal, AbortSignal.timeout(PROBE_MS)])
  const request: SocketRequest = { host, port, tls: undefined, websocket: undefined }
  const tcp = await openTcp(request, host, limited).catch(ignore)
  if (tcp === undefined) return false
  // nothing is sent over it, so nothing is to be verified
  const probe = connectTls({ socket: tcp, rejectUnauthorized: false })
  probe.on('error', ignore)
  try {
    return await Promise.race([
      once(probe, 'secureConnect', { signal: limited }).then(() => true),
      once(probe, 'keylog', { signal: limited }).then(() => true),
      once(probe, 'close', { signal: limited }).then(() => false),
    ])
  } catch (cause) {
    return /_ALERT_/.test(systemCode(cause))
  } finally {
    probe.destroy()
    tcp.destroy()
  }
}

/**
 * Why a peer closed a connection right after the TLS handshake: TLS 1.3 refuses a client certificate only then, and what we had sent
 * meanwhile may have cost us its alert. So another connection waits for the alert and sends nothing. `undefined`: it stays open.
 */
export async function refusalAfterHandshake(
  request: SocketRequest,
  signal: AbortSignal,
): Promise<BackhaulError | undefined> {
  const { stream, context } = await openSocket(request, signal)
  const limited = AbortSignal.any([signal, AbortSignal.timeout(PROBE_MS)])
  try {
    stream.resume()
    await once(stream, 'close', { signal: limited })
  } catch (cause) {
    if (!limited.aborted) return networkError(cause, context)
    return undefined
  } finally {
    stream.destroy()
  }
  return networkError(undefined, { ...context, phase: 'handshake' })
}

/** The settings in Node's own words. */
function tlsOptions(settings: TlsSettings, host: string): ConnectionOptions {
  const name = settings.serverName ?? host
  const options: ConnectionOptions = {
    host: name,
    // an IP address is verified but must not be sent as a name
    servername: isIP(name) === 0 ? name : '',
    minVersion: settings.minVersion,
    maxVersion: settings.maxVersion,
    rejectUnauthorized: !settings.insecureSkipVerify,
  }
  if (settings.ca !== undefined) options.ca = [...settings.ca]
  if (settings.crl !== undefined) options.crl = [...settings.crl]
  if (settings.insecureSkipHostName) options.checkServerIdentity = () => undefined
  if (settings.cert !== undefined) options.cert = settings.cert
  if (settings.key !== undefined) options.key = settings.key
  if (settings.pfx !== undefined) options.pfx = Buffer.from(settings.pfx)
  if (settings.passphrase !== undefined) options.passphrase = settings.passphrase
  if (settings.ciphers !== undefined) options.ciphers = settings.ciphers
  if (settings.curves !== undefined) options.ecdhCurve = settings.curves
  return options
}

async function upgrade(
  socket: Socket,
  request: SocketRequest,
  wanted: WebSocketRequest,
  context: NetworkContext,
  signal: AbortSignal,
): Promise<Duplex> {
  // loaded here, so that nobody pays for what they do not use
  const { WebSocket, createWebSocketStream } = await import('ws')
  const scheme = request.tls === undefined ? 'ws' : 'wss'
  const url = `${scheme}://${context.address}${wanted.path === '' ? '/' : wanted.path}`
  const websocket = new WebSocket(url, [wanted.protocol], {
    createConnection: () => socket,
    headers: { ...wanted.headers },
    perMessageDeflate: false,
    maxPayload: wanted.maxFrameBytes,
  })
  const refused = new Promise<never>((_, reject) => {
    websocket.once('unexpected-response', (_request, response) => {
      reject(refusedUpgrade(response, context.address))
    })
  })
  refused.catch(ignore)
  try {
    await Promise.race([once(websocket, 'open', { signal }), refused])
  } catch (cause) {
    websocket.on('error', ignore)
    websocket.terminate()
    socket.destroy()
    stopIfAborted(signal, context.address)
    const error = websocketError(cause, context)
    if (request.tls === undefined && error.brokerReason === undefined) {
      if (await speaksTls(request.host, request.port, signal)) throw tlsRequired(context.address, cause)
    }
    throw error
  }
  return createWebSocketStream(websocket)
}

/** The port speaks TLS and was dialled in plaintext. */
export function tlsRequired(address: string, cause?: unknown): BackhaulError {
  return new BackhaulError(
    'TLS_REQUIRED',
    `Cannot connect to ${address}: the port speaks TLS, use the address form with TLS or dial the plaintext port`,
    cause,
  )
}

function websocketError(cause: unknown, context: NetworkContext): BackhaulError {
  if (cause instanceof Error && !('code' in cause) && !(cause instanceof BackhaulError)) {
    return new BackhaulError(
      'PROTOCOL_ERROR',
      `Cannot connect to ${context.address}: it is no WebSocket of this protocol (${cause.message}), check the port and the path`,
      cause,
    )
  }
  return networkError(cause, context)
}

function refusedUpgrade(response: IncomingMessage, address: string): BackhaulError {
  const status = response.statusCode ?? 0
  const reason = `HTTP ${status}`
  response.destroy()
  if (status === 401 || status === 403) {
    return new BackhaulError(
      'NOT_AUTHORIZED',
      `Cannot connect to ${address}: the WebSocket was refused with ${reason}, check the credentials and headers`,
      undefined,
      { scope: 'link', brokerReason: reason },
    )
  }
  return new BackhaulError(
    'PROTOCOL_ERROR',
    `Cannot connect to ${address}: it answered ${reason} to the WebSocket, check the path`,
    undefined,
    { brokerReason: reason },
  )
}

/** Waits for a socket's event of success; on an error, an end or an abort nothing of it is left. */
async function untilReady<S extends Socket>(
  socket: S,
  event: 'connect' | 'secureConnect',
  context: Omit<NetworkContext, 'phase'> & Partial<NetworkContext>,
  signal: AbortSignal,
  phase: NetworkContext['phase'] = 'connect',
): Promise<S> {
  await new Promise<void>((resolve, reject) => {
    const finish = (settle: () => void): void => {
      signal.removeEventListener('abort', onAbort)
      socket.off(event, onReady).off('error', onError).off('close', onClose)
      settle()
    }
    const fail = (cause: unknown): void => {
      finish(() => reject(networkError(cause, { ...context, phase })))
      socket.destroy()
    }
    const onReady = (): void => finish(resolve)
    const onError = (cause: unknown): void => fail(cause)
    const onClose = (): void => fail(undefined)
    const onAbort = (): void => fail(aborted(context.address))
    // for errors between two steps; each step has its own listener beside it
    socket.on('error', ignore)
    socket.on(event, onReady).on('error', onError).on('close', onClose)
    signal.addEventListener('abort', onAbort, { once: true })
    if (signal.aborted) onAbort()
  })
  return socket
}

function factsOf(socket: TLSSocket, settings: TlsSettings): PeerTls {
  return {
    version: socket.getProtocol() ?? 'unknown',
    cipher: socket.getCipher().standardName,
    peer: subjectOf(socket.getPeerCertificate()),
    own: settings.ownSubject,
    verified: socket.authorized && !settings.insecureSkipHostName,
  }
}

function subjectOf(certificate: PeerCertificate): string {
  const parts = Object.entries(certificate.subject ?? {}).flatMap(([name, value]: [string, unknown]) =>
    (Array.isArray(value) ? value : [value]).map((one) => `${name}=${String(one)}`),
  )
  return parts.join(', ')
}

function offersCertificate(settings: TlsSettings): boolean {
  return settings.cert !== undefined || settings.pfx !== undefined
}

function stopIfAborted(signal: AbortSignal, address: string): void {
  if (signal.aborted) throw aborted(address)
}

function aborted(address: string): BackhaulError {
  return new BackhaulError('ABORTED', `Cannot connect to ${address}: the caller gave up, call again`)
}

function ignore(): void {
  // the failure is already reported; a destroyed socket may tell it once more
}
