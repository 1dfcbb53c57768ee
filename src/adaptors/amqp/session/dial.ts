import type { Clock } from '../../../contract/index.ts'
import { BackhaulError as Failure } from '../../../contract/index.ts'
import { deferred } from '../../../kit/deferred.ts'
import type { DialCredentials } from '../../shared/mqtt/dial.ts'
import { limited } from '../../shared/limited.ts'
import type { OpenSocket } from '../../shared/socket.ts'
import { hostAndPort, openSocket, speaksTls, tlsRequired } from '../../shared/socket.ts'
import { aborted } from '../errors.ts'
import type { AmqpOptions } from '../options.ts'
import { PROTOCOL_HEADER } from '../wire/protocol.ts'
import type { ConnectionWatcher } from './connection.ts'
import { AmqpConnection } from './connection.ts'
import { introduce } from './introduction.ts'

/** What a connection is dialled with. */
export interface DialSetup {
  /** Addresses and the rest. */
  readonly options: AmqpOptions
  /** TLS, user and password. */
  readonly credentials: DialCredentials
  /** Time. */
  readonly clock: Clock
}

/**
 * Dials the brokers in order until one accepts. Only one that cannot be reached makes way for the next: a refusal is an answer.
 *
 * @throws BackhaulError the refusal, or the last broker's failure; `TIMEOUT`; `ABORTED`. Nothing is left open then.
 */
export async function dialConnection(
  setup: DialSetup,
  watcher: ConnectionWatcher,
  signal: AbortSignal,
): Promise<AmqpConnection> {
  const { hosts, connectTimeoutMs } = setup.options
  const shareMs = connectTimeoutMs / hosts.length
  let last: unknown
  for (const { host, port } of hosts) {
    if (signal.aborted) throw aborted('dial', signal)
    const limit = { timeoutMs: shareMs, address: hostAndPort(host, port), signal, clock: setup.clock }
    try {
      return await limited(limit, (both) => dialHost(setup, host, port, watcher, both))
    } catch (error) {
      last = error
      if (signal.aborted) throw aborted('dial', signal)
      if (error instanceof Failure && error.scope === 'link') break
    }
  }
  throw last
}

async function dialHost(
  setup: DialSetup,
  host: string,
  port: number,
  watcher: ConnectionWatcher,
  signal: AbortSignal,
): Promise<AmqpConnection> {
  const { tls } = setup.credentials
  const request = { host, port, tls, websocket: undefined, plaintextHello: PROTOCOL_HEADER }
  const socket = await openSocket(request, signal)
  try {
    return await open(setup, socket, hostAndPort(host, port), watcher, signal)
  } catch (error) {
    if (tls !== undefined || signal.aborted || !isNoAnswer(error)) throw error
    throw (await speaksTls(host, port, signal)) ? tlsRequired(hostAndPort(host, port), error) : error
  }
}

async function open(
  { options, credentials, clock }: DialSetup,
  socket: OpenSocket,
  address: string,
  watcher: ConnectionWatcher,
  signal: AbortSignal,
): Promise<AmqpConnection> {
  const { tls, auth } = credentials
  const failed = deferred<never>()
  // it may come when nobody waits any more
  failed.promise.catch(() => undefined)
  let dialling = true
  const connection = new AmqpConnection(socket, address, clock, {
    lost: (error) => (dialling ? failed.reject(error) : watcher.lost(error)),
    drained: () => watcher.drained(),
  })
  const onAbort = () => connection.end(aborted('dial', signal))
  signal.addEventListener('abort', onAbort, { once: true })
  if (signal.aborted) onAbort()
  try {
    const offersCertificate = tls?.cert !== undefined || tls?.pfx !== undefined
    await Promise.race([introduce(connection, options, { auth, offersCertificate }), failed.promise])
    dialling = false
    if (connection.ended !== undefined) throw connection.ended
    return connection
  } catch (error) {
    connection.drop(aborted('dial', signal))
    throw error
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

/** Whether a peer closed the connection, or sent what is no AMQP: as a TLS port does to plaintext. */
function isNoAnswer(error: unknown): boolean {
  return (
    error instanceof Failure &&
    error.scope === undefined &&
    ['UNREACHABLE', 'PROTOCOL_ERROR', 'LINK_LOST'].includes(error.code)
  )
}
