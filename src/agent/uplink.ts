import { join } from 'node:path'

import type { Client, ConnectOptions } from '../client/index.ts'
import { connect } from '../client/index.ts'
import type { BackhaulError, Clock, Logger, Status } from '../contract/index.ts'
import { parseAddress } from '../kit/address.ts'
import type { ConnectionHealth, HealthFlag } from './health.ts'

/** A connection as the configuration has it. */
export interface UplinkOptions extends ConnectOptions {
  /** The broker's address. */
  readonly url: string
  /** What is held while the broker is away. */
  readonly outbox?: UplinkOutbox
}

/** The options of an outbox, in full. */
export type UplinkOutbox = Exclude<ConnectOptions['outbox'], string | undefined>

/** One connection of the agent: its client, what it tells, and what an operator should know of it. */
export class Uplink {
  /** The connection itself. */
  readonly client: Client
  readonly #name: string
  readonly #logger: Logger
  readonly #fixedFlags: readonly HealthFlag[]
  readonly #told: Promise<void>
  #toldFlags = ''

  private constructor(name: string, client: Client, fixedFlags: readonly HealthFlag[], logger: Logger) {
    this.#name = name
    this.client = client
    this.#fixedFlags = fixedFlags
    this.#logger = logger
    this.#told = this.#tell()
  }

  /**
   * Opens it without waiting for the broker. What it is given to send is held until it is delivered: on disk, where the
   * configuration names a folder or the agent has one.
   *
   * @param stateFolder - where the outbox lies when no folder is named; `undefined` for memory
   * @throws BackhaulError when it can never work as it is configured.
   */
  static async open(
    name: string,
    options: UplinkOptions,
    logger: Logger,
    clock: Clock,
    stateFolder?: string,
  ): Promise<Uplink> {
    const { url, outbox: { path, ...outbox } = {}, ...rest } = options
    const folder = path ?? (stateFolder === undefined ? undefined : join(stateFolder, 'outbox', name))
    const held = {
      ...outbox,
      parkRefused: outbox.parkRefused ?? true,
      ...(folder !== undefined && { path: folder }),
    }
    const client = await connect(url, { ...rest, outbox: held, lazy: true, clock })
    const flags = fixedFlags(options, client.outbox?.durable === true)
    return new Uplink(name, client, flags, logger)
  }

  /** How it is, now. */
  get health(): ConnectionHealth {
    const status = this.client.current
    return {
      state: status.state,
      peer: status.state === 'connected' ? `${status.peer.protocol} ${status.peer.address}` : undefined,
      outboxError: shown(this.client.outbox?.problem),
      error: 'error' in status ? { code: status.error.code, message: status.error.message } : undefined,
      nextTryAt: 'nextTryAtMs' in status ? new Date(status.nextTryAtMs).toISOString() : undefined,
      account: this.client.account,
      flags: this.#flags(),
    }
  }

  /** Writes the flags to the log when they are others than last time. */
  watchFlags(): void {
    const flags = this.#flags()
    if (flags.join() === this.#toldFlags) return
    this.#toldFlags = flags.join()
    this.#logger.warn({ connection: this.#name, flags }, 'health flags')
  }

  /** Waits for what is pending, at most `drainTimeoutMs`, and closes the connection. */
  async close(drainTimeoutMs: number): Promise<void> {
    await this.client.close({ drainTimeoutMs })
    await this.#told
  }

  #flags(): HealthFlag[] {
    return [
      ...this.#fixedFlags,
      ...(this.client.account.parked > 0 ? ['parked-topics' as const] : []),
      ...(this.client.outbox?.problem === undefined ? [] : ['outbox-disk' as const]),
    ]
  }

  async #tell(): Promise<void> {
    for await (const status of this.client.status()) this.#tellStatus(status)
  }

  #tellStatus(status: Status): void {
    const connection = this.#name
    this.watchFlags()
    switch (status.state) {
      case 'connecting':
        this.#logger.debug({ connection, state: status.state, attempt: status.attempt }, 'connection')
        break
      case 'connected': {
        const { protocol, address, tls } = status.peer
        this.#logger.info({ connection, state: status.state, protocol, address, tls }, 'connection')
        break
      }
      case 'closed':
        this.#logger.info({ connection, state: status.state }, 'connection')
        break
      case 'lost':
      case 'waiting':
      case 'refused': {
        const { code, message, brokerReason } = status.error
        this.#logger.warn(
          {
            connection,
            state: status.state,
            code,
            error: message,
            brokerReason,
            nextTryAt: nextTryOf(status),
          },
          'connection',
        )
      }
    }
  }
}

function shown(error: BackhaulError | undefined): ConnectionHealth['outboxError'] {
  return error === undefined ? undefined : { code: error.code, message: error.message }
}

function nextTryOf(status: Status): string | undefined {
  return 'nextTryAtMs' in status ? new Date(status.nextTryAtMs).toISOString() : undefined
}

/** What the configuration alone tells. */
function fixedFlags(
  { url, tls, allowPlaintextCredentials }: UplinkOptions,
  isDurable: boolean,
): HealthFlag[] {
  const { scheme, query } = parseAddress(url)
  const plaintext = scheme !== 'memory' && !scheme.endsWith('s')
  const isOn = (option: 'insecureSkipVerify' | 'insecureSkipHostName') =>
    String(tls?.[option] ?? query[option] ?? false) === 'true'
  return [
    ...(plaintext ? ['insecure-transport' as const] : []),
    ...(isOn('insecureSkipVerify') ? ['insecure-skip-verify' as const] : []),
    ...(isOn('insecureSkipHostName') ? ['insecure-skip-host-name' as const] : []),
    ...(plaintext && String(allowPlaintextCredentials) === 'true' ? ['plaintext-credentials' as const] : []),
    ...(isDurable ? [] : ['volatile-outbox' as const]),
  ]
}
