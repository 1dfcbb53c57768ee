import process from 'node:process'

import type { Clock } from '../../contract/index.ts'
import { signatureOf } from '../../connection/index.ts'
import type { ConnectOptions } from '../connect.ts'
import { connect } from '../connect.ts'
import type { ConnectCallback, SendCallback, SubscribeCallback } from './handle.ts'
import { NvMsgBrokerHandle, NvMsgBrokerStatus } from './handle.ts'
import type { BrokerSettings, ReadConnection } from './settings.ts'
import { dialsUntilLimit, readBrokerSettings, readConnection, SETTINGS_FILE } from './settings.ts'

/** How the library is set up. */
export interface NvMsgBrokerOptions {
  /** The file with the group `[nvmsgbroker]`. @default the path that the original reads */
  readonly settingsFile?: string | undefined
  /** Holds what is sent while the link is away, in memory. Without it such a message is refused with ERR. @default none */
  readonly outbox?: ConnectOptions['outbox']
  /** How long `connect()` waits for the broker, in milliseconds. @default 10 000 */
  readonly connectTimeoutMs?: number | undefined
  /** Environment variables. @default those of the process */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined
  /** Where time comes from. @default the machine's own */
  readonly clock?: Clock | undefined
  /** Is told why a call gave NULL or ERR. @default nobody */
  readonly onError?: ((error: unknown) => void) | undefined
}

/** A message of the library. */
export interface NvMsgBrokerMessage {
  /** Where it goes. */
  readonly topic: string
  /** What it says; at least one byte. */
  readonly payload: Uint8Array | string
}

const { OK, ERR, NOT_SUPPORTED } = NvMsgBrokerStatus
const DRAIN_MS = 10_000

/**
 * DeepStream's library `nvmsgbroker` for programs that were written against it: the same calls with the same arguments,
 * return codes and callbacks. Calls that wait give promises; nothing is thrown.
 *
 * The original keeps one set of connections for its process; here each value of this class has its own.
 */
export class NvMsgBroker {
  readonly #options: NvMsgBrokerOptions
  readonly #settings: BrokerSettings
  /** Every connection that is held, with its library. */
  readonly #handles = new Map<NvMsgBrokerHandle, ReadConnection>()
  /** The connections that may be shared, by signature and library. */
  readonly #shared = new Map<string, Promise<NvMsgBrokerHandle | null>>()

  /** Use `createNvMsgBroker()`. */
  constructor(options: NvMsgBrokerOptions) {
    this.#options = options
    this.#settings = readBrokerSettings(options.settingsFile ?? SETTINGS_FILE)
  }

  /** The version of the interface. */
  version(): string {
    return '2.0'
  }

  /**
   * Connects. Gives `null` when anything is wrong, when the broker refuses or does not answer, and when the connection that
   * would be shared has no link at the moment.
   *
   * @param connection - the connection string, or `null` where the configuration file has it
   * @param library - path of the adaptor library
   * @param callback - is told of each change of the state after the first link
   * @param config - path of the adaptor's configuration file
   */
  async connect(
    connection: string | null,
    library: string | null,
    callback?: ConnectCallback | null,
    config?: string | null,
  ): Promise<NvMsgBrokerHandle | null> {
    try {
      if (library === null || library === '') return null
      const read = this.#read(connection, library, config)
      const key = read.target.share ? `${this.#signatureOf(read)} ${read.library.protocol}` : undefined
      const handle = await (key === undefined ? this.#open(read) : this.#share(key, read))
      if (handle === null || !handle.isUp) return null
      handle.hold(callback ?? undefined)
      return handle
    } catch (error) {
      this.#options.onError?.(error)
      return null
    }
  }

  /**
   * Sends a message. OK: it was taken, and `callback` is told later what became of it. ERR: it was not taken, and `callback`
   * is not told.
   */
  sendAsync(
    handle: NvMsgBrokerHandle | null,
    message: NvMsgBrokerMessage,
    callback?: SendCallback | null,
    context?: unknown,
  ): NvMsgBrokerStatus {
    if (handle === null || !this.#handles.has(handle)) return ERR
    if (!handle.isUp && this.#options.outbox === undefined) return ERR
    const { topic, payload } = message
    const bytes = typeof payload === 'string' ? Buffer.from(payload) : payload
    if (bytes.length === 0 || topic === '') return ERR
    handle.send(topic, bytes, callback ?? undefined, context)
    return OK
  }

  /**
   * Subscribes to topics; any number of times, several callbacks a topic. One that fails leaves the earlier ones as they are.
   * (In the original it ends them.)
   */
  async subscribe(
    handle: NvMsgBrokerHandle | null,
    topics: readonly string[],
    callback: SubscribeCallback | null,
    context?: unknown,
  ): Promise<NvMsgBrokerStatus> {
    const read = handle === null ? undefined : this.#handles.get(handle)
    if (handle === null || read === undefined || callback === null || topics.length === 0 || !handle.isUp)
      return ERR
    if (!read.library.subscribes) return NOT_SUPPORTED
    return handle.subscribe(topics, read.target.group, callback, context)
  }

  /** Lets go of a connection; the last holder's call waits until what was sent is delivered, and ends it. */
  async disconnect(handle: NvMsgBrokerHandle | null): Promise<NvMsgBrokerStatus> {
    if (handle === null || !this.#handles.has(handle)) return ERR
    if (handle.letGo() > 0) return OK
    this.#handles.delete(handle)
    handle.onEnd()
    await handle.close(DRAIN_MS)
    return OK
  }

  /**
   * The text by which connections are shared: 64 hexadecimal digits exactly when `share-connection` is on, otherwise empty.
   * It is good in this process only, and tells nothing about a password.
   */
  signature(connection: string | null, library: string, config?: string | null): string {
    try {
      const read = this.#read(connection, library, config)
      return read.target.share ? this.#signatureOf(read) : ''
    } catch (error) {
      this.#options.onError?.(error)
      return ''
    }
  }

  #read(connection: string | null, library: string, config: string | null | undefined): ReadConnection {
    const { env = process.env } = this.#options
    return readConnection(connection ?? undefined, library, config ?? undefined, env)
  }

  #signatureOf({ url, target }: ReadConnection): string {
    const { tls, auth, options, group } = target
    return signatureOf(url, { tls, auth, options: JSON.stringify(options), group })
  }

  /** The connection of a key: the one that somebody holds or opens, or a new one. */
  #share(key: string, read: ReadConnection): Promise<NvMsgBrokerHandle | null> {
    const known = this.#shared.get(key)
    if (known !== undefined) return known
    const opening = this.#open(read).then((handle) => {
      if (handle === null) this.#shared.delete(key)
      else handle.onEnd = () => this.#shared.delete(key)
      return handle
    })
    this.#shared.set(key, opening)
    return opening
  }

  async #open(read: ReadConnection): Promise<NvMsgBrokerHandle | null> {
    const { connectTimeoutMs, outbox, clock, onError } = this.#options
    const { tls, auth, options } = read.target
    const { user, ...password } = auth
    const maxRetries = dialsUntilLimit(this.#settings)
    const { retryIntervalSeconds, autoReconnect } = this.#settings
    try {
      const client = await connect(read.url, {
        options,
        allowPlaintextCredentials: true,
        ...(Object.keys(tls).length > 0 && { tls }),
        ...(user !== undefined && { auth: { user, ...password } }),
        ...(outbox !== undefined && { outbox }),
        ...(connectTimeoutMs !== undefined && { connectTimeoutMs }),
        ...(maxRetries !== undefined && { maxRetries }),
        ...(retryIntervalSeconds > 0 && { retryIntervalMs: retryIntervalSeconds * 1000 }),
        clock,
      })
      const handle = new NvMsgBrokerHandle(client, autoReconnect)
      this.#handles.set(handle, read)
      return handle
    } catch (error) {
      onError?.(error)
      return null
    }
  }
}

/** Sets the library up. */
export function createNvMsgBroker(options: NvMsgBrokerOptions = {}): NvMsgBroker {
  return new NvMsgBroker(options)
}
