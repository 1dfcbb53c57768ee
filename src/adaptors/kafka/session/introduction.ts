import type { Auth, TlsSettings } from '../../../contract/index.ts'
import { BackhaulError } from '../../../contract/index.ts'
import { packageVersion } from '../../../kit/version.ts'
import { openSocket, speaksTls, tlsRequired } from '../../shared/socket.ts'
import type { BrokerConnection } from './connection.ts'
import type { Driver } from './driver.ts'
import { errorName } from './driver.ts'
import { kafkaError, violation } from '../errors.ts'
import type { SaslMechanism } from './sasl.ts'
import { authenticate, offeredMechanisms } from './sasl.ts'

/*
 * What is said on a fresh connection: which versions the broker speaks, who we are, and one request that only a client
 * who was let in may make. Where that fails without a word, this file finds out why.
 */

/** How a connection is introduced. */
export interface Introduction {
  /** Name or IP address. */
  readonly host: string
  /** TCP port. */
  readonly port: number
  /** TLS settings, or `undefined` for plaintext. */
  readonly tls: TlsSettings | undefined
  /** User and password, or `undefined` for none. */
  readonly auth: Auth | undefined
  /** How the user proves itself. */
  readonly mechanism: SaslMechanism
  /** Gives up. */
  readonly signal: AbortSignal
}

/** The versions that are spoken here. Apache Kafka has had all of them since 3.0. */
const NEEDED: readonly (readonly [api: string, key: number, version: number])[] = [
  ['Produce', 0, 9],
  ['Fetch', 1, 12],
  ['ListOffsets', 2, 6],
  ['Metadata', 3, 9],
  ['OffsetCommit', 8, 8],
  ['OffsetFetch', 9, 8],
  ['FindCoordinator', 10, 4],
  ['JoinGroup', 11, 7],
  ['Heartbeat', 12, 4],
  ['LeaveGroup', 13, 4],
  ['SyncGroup', 14, 5],
  ['InitProducerId', 22, 4],
]

/** How long a peer that closed without a word is listened to once more, in milliseconds. */
const LISTEN_MS = 1500

/** A first request, in plaintext: an answer to it tells that a port does not speak TLS. */
export function helloBytes(driver: Driver, clientId: string): Buffer {
  const { buffer } = driver.apiVersionsV3.createRequest('backhaul', '0')
  const id = Buffer.from(clientId)
  const head = Buffer.alloc(15 + id.length)
  head.writeInt32BE(head.length - 4 + buffer.length, 0)
  head.writeInt16BE(18, 4)
  head.writeInt16BE(3, 6)
  head.writeInt32BE(0, 8)
  head.writeInt16BE(id.length, 12)
  id.copy(head, 14)
  return Buffer.concat([head, buffer])
}

/** Introduces us, and proves who we are where `who` is given. Without it, it only shows that the broker answers. */
export async function introduce(
  driver: Driver,
  connection: BrokerConnection,
  who?: Introduction,
): Promise<void> {
  try {
    await checkVersions(driver, connection)
  } catch (cause) {
    throw who === undefined ? cause : await whyClosed(connection, who, cause)
  }
  if (who === undefined) return
  if (who.auth !== undefined) {
    await authenticate(driver, connection, who.mechanism, who.auth)
    return
  }
  try {
    await connection.request(driver.metadataV9, [[], false])
  } catch (cause) {
    throw await whyRefused(driver, connection, who, cause)
  }
}

async function checkVersions(driver: Driver, connection: BrokerConnection): Promise<void> {
  const version = packageVersion().replaceAll(/[^a-zA-Z0-9.-]/g, '')
  const { errorCode, apiKeys } = await connection.request(driver.apiVersionsV3, ['backhaul', version], {
    rigidAnswer: true,
  })
  if (errorCode !== 0) {
    throw kafkaError({ name: errorName(driver, errorCode), what: `use ${connection.address}`, scope: 'link' })
  }
  const offered = new Map(apiKeys.map((one) => [one.apiKey, one]))
  for (const [api, key, version] of NEEDED) {
    const range = offered.get(key)
    if (range !== undefined && range.minVersion <= version && version <= range.maxVersion) continue
    throw new BackhaulError(
      'UNSUPPORTED',
      `Cannot use ${connection.address}: the broker does not speak version ${version} of ${api}, use Apache Kafka 3.0 or newer`,
      undefined,
      { scope: 'link' },
    )
  }
}

/** A peer that closed before its first answer: does it speak TLS, or miss a certificate? */
async function whyClosed(connection: BrokerConnection, who: Introduction, cause: unknown): Promise<unknown> {
  if (!(cause instanceof BackhaulError) || who.signal.aborted) return cause
  const isSilent = cause.code === 'UNREACHABLE' || cause.code === 'PROTOCOL_ERROR'
  if (!isSilent) return cause
  if (who.tls === undefined) {
    return (await speaksTls(who.host, who.port, who.signal)) ? tlsRequired(connection.address, cause) : cause
  }
  return (await alertOf(who)) ?? cause
}

/**
 * With TLS 1.3 a broker looks at our certificate when we believe the handshake to be over, and a reset can overtake its alert.
 * So it is asked once more, and nothing is sent.
 */
async function alertOf(who: Introduction): Promise<unknown> {
  const limit = AbortSignal.any([who.signal, AbortSignal.timeout(LISTEN_MS)])
  try {
    const { stream, context } = await openSocket({ ...who, websocket: undefined }, limit)
    const { networkError } = await import('../../../kit/network-errors.ts')
    return await new Promise<unknown>((resolve) => {
      const finish = (found: unknown) => {
        limit.removeEventListener('abort', giveUp)
        stream.destroy()
        resolve(found)
      }
      const giveUp = () => finish(undefined)
      stream.on('error', (error) => finish(networkError(error, context)))
      stream.on('close', giveUp)
      stream.resume()
      limit.addEventListener('abort', giveUp, { once: true })
      if (limit.aborted) giveUp()
    })
  } catch (error) {
    return limit.aborted ? undefined : error
  }
}

/** A peer that closed when it was asked as nobody: it wants a password. */
async function whyRefused(
  driver: Driver,
  connection: BrokerConnection,
  who: Introduction,
  cause: unknown,
): Promise<unknown> {
  if (!(cause instanceof BackhaulError) || who.signal.aborted || cause.code === 'TIMEOUT') return cause
  const mechanisms = await askMechanisms(driver, who).catch(() => undefined)
  if (mechanisms === undefined) return cause
  return new BackhaulError(
    'BAD_CREDENTIALS',
    `Cannot log in at ${connection.address}: the listener demands a user and password (${mechanisms.join(', ')}), give them`,
    cause,
    { scope: 'link' },
  )
}

async function askMechanisms(driver: Driver, who: Introduction): Promise<readonly string[] | undefined> {
  const limit = AbortSignal.any([who.signal, AbortSignal.timeout(LISTEN_MS)])
  const socket = await openSocket({ ...who, websocket: undefined }, limit)
  const { BrokerConnection } = await import('./connection.ts')
  const { systemClock } = await import('../../../kit/system-clock.ts')
  const setup = { driver, clientId: 'backhaul', clock: systemClock, requestTimeoutMs: LISTEN_MS }
  const connection = new BrokerConnection(setup, socket, `${who.host}:${who.port}`, () => undefined)
  const giveUp = () => connection.close(violation(connection.address, 'no answer'))
  limit.addEventListener('abort', giveUp, { once: true })
  try {
    return await offeredMechanisms(driver, connection)
  } finally {
    limit.removeEventListener('abort', giveUp)
    giveUp()
  }
}
