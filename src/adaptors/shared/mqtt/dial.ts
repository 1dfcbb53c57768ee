import type { Auth, PeerTls, TlsSettings } from '../../../contract/index.ts'
import { BackhaulError } from '../../../contract/index.ts'
import { limited } from '../limited.ts'
import type { OpenSocket } from '../socket.ts'
import { hostAndPort, openSocket, speaksTls, tlsRequired } from '../socket.ts'
import type { Accepted } from './handshake.ts'
import { HandshakeFailure, handshake, harmlessConnect } from './handshake.ts'
import type { MqttSettings, ProtocolLevel, SessionTools } from './settings.ts'

/*
 * From settings to an accepted session: the brokers in order, and for each of them:
 *
 *   version 5 ── accepted ──▶ done
 *      │ "unsupported version" (auto) ──▶ a fresh connection with 3.1.1
 *      │ closed without a word ──▶ once more (with 3.1.1 where auto): old brokers close on version 5
 *      ▼ closed without a word again: over TLS with a client certificate, that was refused (some TLS servers send no alert);
 *        in plaintext, a TLS handshake shows whether the port speaks TLS
 *
 * Only one connection is open at a time, and none is left behind.
 */

/** An accepted session with its stream. */
export interface Dialled extends Accepted {
  /** The stream; the caller destroys it. */
  readonly socket: OpenSocket
  /** Host and port of the broker that accepted. */
  readonly address: string
  /** The TLS session, or `undefined` for plaintext. */
  readonly tls: PeerTls | undefined
}

/** What one dial authenticates with. */
export interface DialCredentials {
  /** TLS settings, or `undefined` for plaintext. */
  readonly tls: TlsSettings | undefined
  /** User and password, or `undefined` for none. */
  readonly auth: Auth | undefined
}

/**
 * Dials the brokers in order until one accepts.
 *
 * @throws BackhaulError the refusal, or the last broker's failure; `TIMEOUT`; `ABORTED`
 */
export async function dialSession(
  settings: MqttSettings,
  credentials: DialCredentials,
  signal: AbortSignal,
  tools: SessionTools,
): Promise<Dialled> {
  let last: unknown
  const shareMs = settings.connectTimeoutMs / settings.hosts.length
  for (const { host, port } of settings.hosts) {
    try {
      const limit = { timeoutMs: shareMs, address: hostAndPort(host, port), signal, clock: tools.clock }
      return await limited(limit, (both) => new HostDial(host, port, settings, credentials, both).run())
    } catch (error) {
      last = error
      // a broker's own refusal is the answer; only one that cannot be reached makes way for the next
      if (signal.aborted || (error instanceof BackhaulError && error.scope === 'link')) break
    }
  }
  throw last
}

/** The dial of one broker. */
class HostDial {
  readonly #host: string
  readonly #port: number
  readonly #settings: MqttSettings
  readonly #credentials: DialCredentials
  readonly #signal: AbortSignal

  constructor(
    host: string,
    port: number,
    settings: MqttSettings,
    credentials: DialCredentials,
    signal: AbortSignal,
  ) {
    this.#host = host
    this.#port = port
    this.#settings = settings
    this.#credentials = credentials
    this.#signal = signal
  }

  async run(): Promise<Dialled> {
    const { version } = this.#settings
    const first = await this.#try(version === '3.1.1' ? 4 : 5)
    if (!(first instanceof HandshakeFailure)) return first
    const older = version === 'auto'
    if (first.kind === 'final' || (first.kind === 'version' && !older)) throw first.error
    const second = await this.#try(version === '5' ? 5 : 4)
    if (!(second instanceof HandshakeFailure)) return second
    throw second.kind === 'silent' ? await this.#explain(second.error) : second.error
  }

  async #try(level: ProtocolLevel): Promise<Dialled | HandshakeFailure> {
    const { websocket, maxPacketBytes } = this.#settings
    const { tls, auth } = this.#credentials
    const socket = await openSocket(
      {
        host: this.#host,
        port: this.#port,
        tls,
        websocket: websocket && { ...websocket, protocol: 'mqtt', maxFrameBytes: maxPacketBytes + 16 },
        plaintextHello: websocket === undefined ? harmlessConnect() : undefined,
      },
      this.#signal,
    )
    try {
      const accepted = await handshake(socket, this.#settings, level, auth, this.#signal)
      return { ...accepted, socket, address: hostAndPort(this.#host, this.#port), tls: socket.tls }
    } catch (error) {
      socket.stream.destroy()
      if (error instanceof HandshakeFailure) return error
      throw error
    }
  }

  async #explain(error: BackhaulError): Promise<BackhaulError> {
    const address = hostAndPort(this.#host, this.#port)
    const { tls } = this.#credentials
    if (tls === undefined) {
      return (await speaksTls(this.#host, this.#port, this.#signal)) ? tlsRequired(address, error) : error
    }
    if (tls.cert === undefined && tls.pfx === undefined) return error
    return new BackhaulError(
      'CLIENT_CERTIFICATE_REFUSED',
      `Cannot connect to ${address}: it closed the connection right after the TLS handshake, most likely since it does not accept our certificate, have it issued by a CA that the broker trusts`,
      error,
      { scope: 'link' },
    )
  }
}
