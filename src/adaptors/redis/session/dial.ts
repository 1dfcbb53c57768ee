import type { Auth, Clock, TlsSettings } from '../../../contract/index.ts'
import { BackhaulError } from '../../../contract/index.ts'
import { limited } from '../../shared/limited.ts'
import {
  hostAndPort,
  openSocket,
  refusalAfterHandshake,
  speaksTls,
  tlsRequired,
} from '../../shared/socket.ts'
import { aborted, ErrorAnswer, redisError, violation } from '../errors.ts'
import type { RedisOptions } from '../options.ts'
import { RedisConnection } from './connection.ts'
import type { Driver } from './driver.ts'

/*
 * From options to a connection whose credentials the broker has accepted: HELLO with user and password, SELECT of the database, and PING,
 * which a broker that still reads its data into memory refuses. They go out together. A replica takes no writes and is passed over.
 */

/** What every Redis answers, with or without a password. */
const PING = Buffer.from('PING\r\n')

/** What a link and its connections are made with. */
export interface LinkSetup {
  /** The driver. */
  readonly driver: Driver
  /** The options. */
  readonly options: RedisOptions
  /** TLS settings, or `undefined` for plaintext. */
  readonly tls: TlsSettings | undefined
  /** User and password, or `undefined` for none. */
  readonly auth: Auth | undefined
  /** Time. */
  readonly clock: Clock
}

/** Where a broker listens. */
export interface Place {
  /** Name or IP address. */
  readonly host: string
  /** TCP port. */
  readonly port: number
}

/** A connection that the broker has accepted. */
export interface Introduced {
  /** The connection; the caller closes it. */
  readonly connection: RedisConnection
  /** Where it leads. */
  readonly place: Place
  /** What the broker says it is, for example `Redis 7.0.15`. */
  readonly server: string
}

/**
 * Dials the brokers in order until one accepts that is no replica.
 *
 * @throws BackhaulError the refusal, or the last broker's failure; `TIMEOUT`; `ABORTED`. No socket is left behind.
 */
export async function dialFirst(setup: LinkSetup, signal: AbortSignal): Promise<Introduced> {
  const { hosts, connectTimeoutMs } = setup.options
  let last: unknown
  for (const place of hosts) {
    try {
      return await dialPlace(setup, place, connectTimeoutMs / hosts.length, signal)
    } catch (error) {
      if (signal.aborted) throw aborted('dial')
      last = error
    }
  }
  throw last
}

/** Dials one broker; see {@link dialFirst}. */
export async function dialPlace(
  setup: LinkSetup,
  place: Place,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<Introduced> {
  const { host, port } = place
  const address = hostAndPort(host, port)
  return limited({ timeoutMs, address, signal, clock: setup.clock }, async (both) => {
    const { tls, driver, clock, options } = setup
    const socket = await openSocket({ host, port, tls, websocket: undefined, plaintextHello: PING }, both)
    const { commandTimeoutMs, keepAliveMs } = options
    const connection = new RedisConnection({ driver, clock, commandTimeoutMs, keepAliveMs }, socket, address)
    const giveUp = () => connection.close(aborted('dial'))
    both.addEventListener('abort', giveUp, { once: true })
    try {
      if (both.aborted) throw aborted('dial')
      return { connection, place, server: await introduce(connection, setup) }
    } catch (error) {
      connection.close(aborted('dial'))
      throw await explained(error, place, setup, both)
    } finally {
      both.removeEventListener('abort', giveUp)
    }
  })
}

/**
 * A connection that is dropped before the first answer may lead to a port that speaks TLS; over TLS, the broker may not want our
 * certificate. Another connection tells.
 */
async function explained(
  error: unknown,
  { host, port }: Place,
  { tls }: LinkSetup,
  signal: AbortSignal,
): Promise<unknown> {
  const isSilent = error instanceof BackhaulError && error.code === 'UNREACHABLE'
  if (!isSilent || signal.aborted) return error
  if (tls !== undefined) {
    return (await refusalAfterHandshake({ host, port, tls, websocket: undefined }, signal)) ?? error
  }
  return (await speaksTls(host, port, signal)) ? tlsRequired(hostAndPort(host, port), error) : error
}

async function introduce(connection: RedisConnection, { options, auth }: LinkSetup): Promise<string> {
  const { database, clientName } = options
  const login = auth === undefined ? [] : ['AUTH', auth.user || 'default', auth.password ?? '']
  const answers = await Promise.all([
    connection.ask(['HELLO', '2', ...login, 'SETNAME', clientName]),
    ...(database === 0 ? [] : [connection.ask(['SELECT', String(database)])]),
    connection.ask(['PING']),
  ])
  const what = `connect to ${connection.address}`
  for (const [index, answer] of answers.entries()) {
    // a user without the right to PING is connected all the same
    const isPing = index === answers.length - 1
    if (answer instanceof ErrorAnswer && !(isPing && answer.word === 'NOPERM')) {
      throw redisError(answer, what, 'link')
    }
  }
  const hello = readHello(answers[0])
  const role = hello.get('role')
  if (role === undefined) throw violation(connection.address, 'no word of who it is')
  if (role !== 'master') throw redisError(new ErrorAnswer('READONLY The broker is a replica'), what, 'link')
  const name = hello.get('server') === 'valkey' ? 'Valkey' : 'Redis'
  return `${name} ${hello.get('version') ?? ''}`.trim()
}

/** The pairs of names and values that HELLO is answered with, as far as they are text. */
function readHello(answer: unknown): ReadonlyMap<string, string> {
  const pairs = new Map<string, string>()
  const list: readonly unknown[] = Array.isArray(answer) ? answer : []
  for (let at = 0; at + 1 < list.length; at += 2) {
    const [name, value] = [list[at], list[at + 1]]
    if (typeof name === 'string' && typeof value === 'string') pairs.set(name, value)
  }
  return pairs
}
