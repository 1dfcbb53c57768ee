import { rootCertificates } from 'node:tls'

import type { Auth, TlsSettings } from '../../../contract/index.ts'
import { BackhaulError } from '../../../contract/index.ts'
import { hostAndPort } from '../../shared/socket.ts'
import type { KafkaOptions } from '../options.ts'
import type { NativeValue } from './binding.ts'
import type { FileWriter } from './files.ts'

/*
 * Our options, TLS settings and credentials in librdkafka's properties. What it cannot do is refused, never left out. Properties that the
 * user gave stand behind ours and win, but for those that the adaptor's own work depends on.
 */

/** Properties of one client. */
export type Configuration = Record<string, NativeValue>

/** What every client of a link has in common. */
export interface ConfigurationSetup {
  /** Options of the link. */
  readonly options: KafkaOptions
  /** TLS settings, or `undefined` for plaintext. */
  readonly tls: TlsSettings | undefined
  /** User and password, or `undefined` for none. */
  readonly auth: Auth | undefined
  /** Called when the broker wants a token again: the one at hand was made for this dial. */
  readonly onTokenEnded: () => void
}

/** librdkafka's own limits. */
const LEAST_SETUP_MS = 1000
const MOST_SOCKET_MS = 300_000
/** How long a token counts that does not say itself, in milliseconds. */
const TOKEN_MS = 3_600_000

/**
 * What a producer and a consumer have in common.
 *
 * @param files - for what librdkafka reads only from files
 */
export async function commonConfiguration(
  setup: ConfigurationSetup,
  files: FileWriter,
): Promise<Configuration> {
  const { options, tls, auth } = setup
  const refreshMs = Math.max(10, options.metadataRefreshMs)
  return {
    'bootstrap.servers': options.hosts.map(({ host, port }) => hostAndPort(host, port)).join(','),
    'client.id': options.clientId,
    'security.protocol': protocolOf(tls, auth),
    'socket.timeout.ms': Math.min(MOST_SOCKET_MS, Math.max(10, options.requestTimeoutMs)),
    'socket.connection.setup.timeout.ms': Math.max(LEAST_SETUP_MS, options.connectTimeoutMs),
    'socket.keepalive.enable': true,
    'socket.nagle.disable': true,
    'reconnect.backoff.ms': 50,
    'reconnect.backoff.max.ms': 1000,
    'topic.metadata.refresh.interval.ms': refreshMs,
    'topic.metadata.propagation.max.ms': options.topicTimeoutMs,
    'log.connection.close': true,
    ...(tls !== undefined && (await tlsProperties(tls, files))),
    ...(auth !== undefined && saslProperties(auth, setup)),
  }
}

/** The properties of the producer. */
export function producerConfiguration(common: Configuration, options: KafkaOptions): Configuration {
  return {
    ...common,
    'allow.auto.create.topics': options.createTopics,
    acks: options.acks,
    'enable.idempotence': options.idempotence,
    'compression.codec': options.compression,
    partitioner: options.partitioner,
    'message.max.bytes': Math.max(1000, options.maxMessageBytes + HEADROOM),
    'batch.size': options.maxMessageBytes,
    'max.in.flight.requests.per.connection': options.idempotence ? options.maxInFlightRequests : 1,
    'queue.buffering.max.messages': 1_000_000,
    'queue.buffering.max.kbytes': 1_048_576,
    'linger.ms': 0,
    ...options.properties.producer,
    // the link ends before, and with it whatever it would send again
    'message.timeout.ms': options.publishTimeoutMs + 60_000,
    'enable.gapless.guarantee': options.idempotence,
    dr_cb: true,
  }
}

/** The properties of a consumer. */
export function consumerConfiguration(
  common: Configuration,
  options: KafkaOptions,
  group: string | undefined,
): Configuration {
  const { groupInstanceId, fetchMaxBytes } = options
  return {
    ...common,
    'isolation.level': options.isolation,
    'session.timeout.ms': options.sessionTimeoutMs,
    'heartbeat.interval.ms': options.heartbeatIntervalMs,
    'max.poll.interval.ms': Math.max(options.rebalanceTimeoutMs, options.sessionTimeoutMs),
    'fetch.wait.max.ms': Math.min(MOST_SOCKET_MS, options.fetchWaitMs),
    'fetch.message.max.bytes': fetchMaxBytes,
    'queued.min.messages': 1000,
    'queued.max.messages.kbytes': Math.max(1024, Math.ceil((fetchMaxBytes * 4) / 1024)),
    'allow.auto.create.topics': false,
    'partition.assignment.strategy': 'cooperative-sticky',
    ...options.properties.consumer,
    // a client of librdkafka that reads has a group, also where it joins none
    'group.id': group ?? `${options.clientId}-reads-without-a-group`,
    ...(group !== undefined && groupInstanceId !== undefined && { 'group.instance.id': groupInstanceId }),
    'enable.auto.commit': false,
    'enable.auto.offset.store': false,
    'enable.partition.eof': true,
    // where to begin is found by us; this is for offsets that are not there any more
    'auto.offset.reset': 'earliest',
  }
}

/** What a record takes beside its payload; the broker's own limit decides. */
const HEADROOM = 65_536

function protocolOf(tls: TlsSettings | undefined, auth: Auth | undefined): string {
  if (auth === undefined) return tls === undefined ? 'plaintext' : 'ssl'
  return tls === undefined ? 'sasl_plaintext' : 'sasl_ssl'
}

async function tlsProperties(tls: TlsSettings, files: FileWriter): Promise<Configuration> {
  const own: Configuration = {}
  if (tls.cert !== undefined) own['ssl.certificate.pem'] = tls.cert
  if (tls.key !== undefined) own['ssl.key.pem'] = tls.key
  if (tls.key !== undefined && tls.passphrase !== undefined) own['ssl.key.password'] = tls.passphrase
  if (tls.pfx !== undefined) {
    own['ssl.keystore.location'] = await files.write('identity.p12', tls.pfx)
    own['ssl.keystore.password'] = tls.passphrase ?? ''
  }
  if (tls.crl !== undefined) own['ssl.crl.location'] = await files.write('crl.pem', tls.crl.join('\n'))
  if (tls.ciphers !== undefined) own['ssl.cipher.suites'] = tls.ciphers
  if (tls.curves !== undefined) own['ssl.curves.list'] = tls.curves
  return {
    // the list that Node.js trusts, as with the other driver
    'ssl.ca.pem': (tls.ca ?? rootCertificates).join('\n'),
    'enable.ssl.certificate.verification': !tls.insecureSkipVerify,
    'ssl.endpoint.identification.algorithm':
      tls.insecureSkipHostName || tls.insecureSkipVerify ? 'none' : 'https',
    ...own,
  }
}

/**
 * Refuses what librdkafka cannot do, before anybody is dialled.
 *
 * @throws BackhaulError `INVALID_OPTIONS`
 */
export function checkTls(tls: TlsSettings, { hosts }: KafkaOptions): void {
  if (tls.minVersion !== 'TLSv1.2' || tls.maxVersion !== 'TLSv1.3') {
    throw cannot('tls.minVersion and tls.maxVersion', 'it has no choice of TLS versions')
  }
  if (tls.ciphers !== undefined && /(^|:)TLS_/.test(tls.ciphers)) {
    throw cannot('tls.ciphers', 'it chooses suites only up to TLS 1.2, and this names some of TLS 1.3')
  }
  const other = hosts.some(({ host }) => tls.serverName !== undefined && tls.serverName !== host)
  if (other) throw cannot('tls.serverName', 'it verifies the name that is dialled')
}

function cannot(what: string, why: string): BackhaulError {
  return new BackhaulError(
    'INVALID_OPTIONS',
    `Cannot use the driver librdkafka with ${what}: ${why}, leave it out or use driver: javascript`,
  )
}

function saslProperties(auth: Auth, { options, onTokenEnded }: ConfigurationSetup): Configuration {
  const mechanism = { 'sasl.mechanism': options.sasl }
  if (options.sasl !== 'OAUTHBEARER') {
    return { ...mechanism, 'sasl.username': auth.user, 'sasl.password': auth.password ?? '' }
  }
  let given = 0
  const refresh = (_config: unknown, done: (error: Error | null, token?: BearerToken) => void) => {
    given += 1
    if (given > 1) onTokenEnded()
    else done(null, bearerToken(auth))
  }
  return { ...mechanism, oauthbearer_token_refresh_cb: refresh }
}

/** A token as the binding takes it. */
interface BearerToken {
  readonly tokenValue: string
  readonly lifetime: number
  readonly principal: string
}

function bearerToken({ user, password = '' }: Auth): BearerToken {
  const claims = claimsOf(password)
  const { exp, sub } = claims
  return {
    tokenValue: password,
    lifetime: typeof exp === 'number' ? exp * 1000 : Date.now() + TOKEN_MS,
    principal: user === '' ? (typeof sub === 'string' ? sub : 'backhaul') : user,
  }
}

/** The claims of a JSON Web Token; none where it is another kind of token. Nothing is verified: the broker does that. */
function claimsOf(token: string): { readonly exp?: unknown; readonly sub?: unknown } {
  try {
    const claims: unknown = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
    return typeof claims === 'object' && claims !== null ? claims : {}
  } catch {
    return {}
  }
}
