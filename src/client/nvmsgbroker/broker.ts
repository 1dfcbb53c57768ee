import process from 'node:process'

import type { Clock } from '../../contract/index.ts'
import { BackhaulError } from '../../contract/index.ts'
import { signatureOf } from '../../connection/index.ts'
import type { Library } from '../../kit/deepstream/library.ts'
import { libraryOf } from '../../kit/deepstream/library.ts'
import type { Client } from '../client.ts'
import type { ConnectOptions } from '../connect.ts'
import { connect } from '../connect.ts'
import { CONSOLE } from './console.ts'
import type { ConnectCallback, SendCallback, SubscribeCallback } from './handle.ts'
import { NvMsgBrokerHandle, NvMsgBrokerStatus } from './handle.ts'
import type { BrokerSettings, ReadConnection } from './settings.ts'
import { dialsUntilLimit, readBrokerSettings, readConnection, SETTINGS_FILE } from './settings.ts'
import { createPartitionKey } from './partition-key.ts'

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
  /** Is told the lines that the original logs under `NV_MSGBROKER`. @default nobody */
  readonly onLog?: ((line: string) => void) | undefined
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
const CONNECT_TIMEOUT_MS = 10_000

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
    const file = options.settingsFile ?? SETTINGS_FILE
    this.#settings = readBrokerSettings(file, () => this.#log(CONSOLE.noSettings(file)))
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
    const read =
      library === null || library === '' ? this.#noLibrary() : this.#tryRead(connection, library, config)
    if (read === null) return null
    for (;;) {
      const handle = await (read.target.share ? this.#share(read) : this.#open(read))
      if (handle === null) return null
      // its last holder may have let go while we waited
      if (!this.#handles.has(handle)) continue
      if (!handle.isUp && handle.isHeld) {
        this.#log(CONSOLE.sharedIsDown())
        return null
      }
      if (handle.isHeld) this.#log(CONSOLE.shared(read.library, this.#signatureOf(read)))
      handle.hold(callback ?? undefined)
      return handle
    }
  }

  /**
   * What the library of an adaptor says of itself: its protocol, as `MQTT` or `AZURE_DEVICE_CLIENT`, and its version; `null`
   * where nobody knows it.
   */
  adaptor(library: string): { readonly protocol: string; readonly version: string } | null {
    const known = libraryOf(library)
    return typeof known === 'string' ? null : { protocol: known.name, version: known.version }
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
    const library = this.#libraryOf(handle, 'send')
    if (handle === null || library === undefined) return ERR
    if (!handle.isUp && this.#options.outbox === undefined) return this.#err(CONSOLE.sendDown(library))
    const { topic, payload } = message
    const bytes = typeof payload === 'string' ? Buffer.from(payload) : payload
    if (bytes.length === 0) return this.#err(CONSOLE.sendInvalid(library))
    if (topic === '') return this.#err(CONSOLE.sendRefused(library))
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
    const library = this.#libraryOf(handle, 'subscribe')
    if (handle === null || library === undefined) return ERR
    if (callback === null) return this.#err(CONSOLE.noCallback())
    if (!handle.isUp) return this.#err(CONSOLE.subscribeDown(library))
    if (topics.length === 0) return this.#err(CONSOLE.noTopics(library))
    if (!library.subscribes) {
      this.#log(CONSOLE.notSupported(library))
      return NOT_SUPPORTED
    }
    const status = await handle.subscribe(topics, callback, context)
    return status === OK ? OK : this.#err(CONSOLE.subscribeFailed(library))
  }

  /** Lets go of a connection; the last holder's call waits until what was sent is delivered, and ends it. */
  async disconnect(handle: NvMsgBrokerHandle | null): Promise<NvMsgBrokerStatus> {
    if (this.#libraryOf(handle, 'disconnect') === undefined || handle === null) return ERR
    if (handle.letGo() > 0) return OK
    this.#handles.delete(handle)
    handle.onEnd()
    await handle.close(DRAIN_MS)
    this.#log(CONSOLE.disconnected())
    return OK
  }

  /**
   * The text by which connections are shared: 64 hexadecimal digits exactly when `share-connection` is on, otherwise empty.
   * It is good in this process only, and tells nothing about a password.
   */
  signature(connection: string | null, library: string, config?: string | null): string {
    const read = this.#tryRead(connection, library, config)
    return read?.target.share === true ? this.#signatureOf(read) : ''
  }

  #noLibrary(): null {
    this.#log(CONSOLE.noLibraryPath())
    return null
  }

  #tryRead(
    connection: string | null,
    library: string,
    config: string | null | undefined,
  ): ReadConnection | null {
    const { env = process.env, onError } = this.#options
    try {
      return readConnection(connection ?? undefined, library, config ?? undefined, env)
    } catch (error) {
      onError?.(error)
      const known = libraryOf(library)
      this.#log(typeof known === 'string' ? CONSOLE.unknownLibrary(known) : CONSOLE.notConnected(known))
      return null
    }
  }

  #libraryOf(
    handle: NvMsgBrokerHandle | null,
    call: Parameters<typeof CONSOLE.badHandle>[0],
  ): Library | undefined {
    const read = handle === null ? undefined : this.#handles.get(handle)
    if (read === undefined) this.#log(handle === null ? CONSOLE.noHandle(call) : CONSOLE.badHandle(call))
    return read?.library
  }

  #err(line: string): typeof ERR {
    this.#log(line)
    return ERR
  }

  #log(line: string): void {
    this.#options.onLog?.(line)
  }

  #signatureOf({ url, target }: ReadConnection): string {
    const { tls, auth, options, group } = target
    return signatureOf(url, { tls, auth, options: JSON.stringify(options), group })
  }

  /** The connection of a signature and library: the one that somebody holds or opens, or a new one. */
  #share(read: ReadConnection): Promise<NvMsgBrokerHandle | null> {
    const key = `${this.#signatureOf(read)} ${read.library.protocol}`
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
    const { tls, auth, options, group } = read.target
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
        ...(maxRetries !== undefined && { maxRetries }),
        ...(retryIntervalSeconds > 0 && { retryIntervalMs: retryIntervalSeconds * 1000 }),
        clock,
        lazy: true,
      })
      await firstLink(client, connectTimeoutMs ?? CONNECT_TIMEOUT_MS)
      const handle = new NvMsgBrokerHandle(client, {
        autoReconnect,
        group,
        keyOf: createPartitionKey(read.target.partitionKey),
        library: read.library,
        onLog: (line) => this.#log(line),
      })
      this.#handles.set(handle, read)
      this.#log(CONSOLE.connected())
      return handle
    } catch (error) {
      onError?.(error)
      this.#log(CONSOLE.notConnected(read.library))
      return null
    }
  }
}

/** Waits for the first link. The first dial that fails is enough: then the client is closed. */
async function firstLink(client: Client, timeoutMs: number): Promise<void> {
  const timeout = AbortSignal.timeout(timeoutMs)
  let failure: unknown
  for await (const status of client.status(timeout)) {
    if (status.state === 'connected') return
    if (!('error' in status)) continue
    failure = status.error
    break
  }
  await client.close({ drainTimeoutMs: 0 })
  throw (
    failure ??
    new BackhaulError('TIMEOUT', `Cannot connect: the broker did not answer within ${timeoutMs} ms`)
  )
}

/** Sets the library up. */
export function createNvMsgBroker(options: NvMsgBrokerOptions = {}): NvMsgBroker {
  return new NvMsgBroker(options)
}
