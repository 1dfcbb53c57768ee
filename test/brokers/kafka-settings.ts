import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import type { PairFiles, TestPki } from '../pki.ts'
import type { TokenIssuer } from './token-issuer.ts'

/**
 * Kinds of listener of Kafka: plaintext (its anonymous client may do everything), TLS, TLS that demands a client certificate,
 * passwords with and without TLS, and tokens over TLS.
 */
export const KAFKA_LISTENERS = ['plain', 'tls', 'mutual', 'saslTls', 'saslPlain', 'oauth'] as const
/** One of {@link KAFKA_LISTENERS}. */
export type KafkaListener = (typeof KAFKA_LISTENERS)[number]

/** Where a listener listens, and the port that the broker tells clients to use. */
export interface ListenerPorts {
  /** Which one. */
  readonly kind: KafkaListener
  /** Where it listens. */
  readonly port: number
  /** Where clients are sent; the same, unless a proxy stands before it. */
  readonly advertised: number
}

/** What the configuration of a broker is made of. */
export interface KafkaSite {
  /** A folder of its own. */
  readonly folder: string
  /** Its listeners. */
  readonly listeners: readonly ListenerPorts[]
  /** Its number, from 1. */
  readonly node: number
  /** The ports of the controllers, one for each node of the cluster in their order. */
  readonly controllers: readonly number[]
  /** The CA of its TLS listeners. */
  readonly pki: TestPki
  /** Certificate of its TLS listeners. */
  readonly server: PairFiles
  /** Passwords by user, for PLAIN. SCRAM has its own, written when the folder is formatted. */
  readonly users: Readonly<Record<string, string>>
  /** Who signs the tokens that it takes. */
  readonly tokens: TokenIssuer
  /** Further lines of the configuration. */
  readonly settings: Readonly<Record<string, string | number | boolean>>
}

const PROTOCOLS: Readonly<Record<KafkaListener, string>> = {
  plain: 'PLAINTEXT',
  tls: 'SSL',
  mutual: 'SSL',
  saslTls: 'SASL_SSL',
  saslPlain: 'SASL_PLAINTEXT',
  oauth: 'SASL_SSL',
}

/** Writes the files of a broker and gives the path of its configuration. */
export async function writeKafkaFiles(site: KafkaSite): Promise<string> {
  const { folder, pki, server } = site
  // Kafka wants one file: the key, then the chain
  const store = await Promise.all([readFile(server.key, 'utf8'), readFile(server.cert, 'utf8')])
  await writeFile(join(folder, 'store.pem'), store.join('\n'), { mode: 0o600 })
  await writeFile(join(folder, 'ca.pem'), await readFile(pki.ca, 'utf8'))
  await writeFile(join(folder, 'jwks.json'), site.tokens.keys)
  await writeFile(join(folder, 'log4j2.properties'), LOGGING)
  const lines = Object.entries({ ...settingsOf(site), ...site.settings })
  const path = join(folder, 'server.properties')
  await writeFile(path, lines.map(([name, value]) => `${name}=${value}\n`).join(''), { mode: 0o600 })
  return path
}

function settingsOf(site: KafkaSite): Record<string, string | number | boolean> {
  const { folder, listeners, node, controllers } = site
  const controller = `127.0.0.1:${controllers[node - 1] ?? 0}`
  const addresses = (port: (one: ListenerPorts) => number) =>
    listeners.map((one) => `${nameOf(one.kind)}://127.0.0.1:${port(one)}`)
  return {
    'process.roles': 'broker,controller',
    'node.id': node,
    'controller.quorum.voters': controllers.map((port, index) => `${index + 1}@127.0.0.1:${port}`).join(','),
    'controller.listener.names': 'CONTROLLER',
    listeners: [...addresses(({ port }) => port), `CONTROLLER://${controller}`].join(','),
    'advertised.listeners': addresses(({ advertised }) => advertised).join(','),
    'listener.security.protocol.map': [
      ...listeners.map(({ kind }) => `${nameOf(kind)}:${PROTOCOLS[kind]}`),
      'CONTROLLER:PLAINTEXT',
    ].join(','),
    'inter.broker.listener.name': nameOf('plain'),
    'log.dirs': join(folder, 'data'),
    ...SMALL,
    'ssl.keystore.type': 'PEM',
    'ssl.keystore.location': join(folder, 'store.pem'),
    'ssl.truststore.type': 'PEM',
    'ssl.truststore.location': join(folder, 'ca.pem'),
    [`listener.name.${nameOf('mutual').toLowerCase()}.ssl.client.auth`]: 'required',
    ...saslSettings(site),
    'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
    'super.users': 'User:ANONYMOUS',
    'allow.everyone.if.no.acl.found': false,
    // CN=edge-1 becomes edge-1, as for passwords
    'ssl.principal.mapping.rules': 'RULE:^CN=([^,]+).*$/$1/,DEFAULT',
  }
}

/** Few threads, no copies, quick to notice that it was killed. */
const SMALL: Readonly<Record<string, string | number | boolean>> = {
  'num.partitions': 1,
  'num.network.threads': 2,
  'num.io.threads': 4,
  'offsets.topic.replication.factor': 1,
  'offsets.topic.num.partitions': 4,
  'transaction.state.log.replication.factor': 1,
  'transaction.state.log.min.isr': 1,
  'transaction.state.log.num.partitions': 1,
  'share.coordinator.state.topic.replication.factor': 1,
  'share.coordinator.state.topic.min.isr': 1,
  'group.initial.rebalance.delay.ms': 0,
  'group.min.session.timeout.ms': 500,
  'auto.create.topics.enable': false,
  'broker.heartbeat.interval.ms': 300,
  'broker.session.timeout.ms': 1500,
  'connection.failed.authentication.delay.ms': 20,
  'log.cleaner.dedupe.buffer.size': 2_097_152,
}

function saslSettings(site: KafkaSite): Record<string, string> {
  const lines: Record<string, string> = { 'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512' }
  const users = Object.entries(site.users).map(([user, password]) => `user_${user}="${password}"`)
  const modules = 'org.apache.kafka.common.security'
  for (const kind of ['saslTls', 'saslPlain'] as const) {
    const prefix = `listener.name.${nameOf(kind).toLowerCase()}`
    lines[`${prefix}.plain.sasl.jaas.config`] =
      `${modules}.plain.PlainLoginModule required ${users.join(' ')};`
    for (const mechanism of ['scram-sha-256', 'scram-sha-512']) {
      lines[`${prefix}.${mechanism}.sasl.jaas.config`] = `${modules}.scram.ScramLoginModule required;`
    }
  }
  const oauth = `listener.name.${nameOf('oauth').toLowerCase()}`
  const validator = `${modules}.oauthbearer.OAuthBearerValidatorCallbackHandler`
  return {
    ...lines,
    [`${oauth}.sasl.enabled.mechanisms`]: 'OAUTHBEARER',
    [`${oauth}.oauthbearer.sasl.jaas.config`]: `${modules}.oauthbearer.OAuthBearerLoginModule required;`,
    [`${oauth}.oauthbearer.sasl.server.callback.handler.class`]: validator,
    [`${oauth}.sasl.oauthbearer.jwks.endpoint.url`]: keysOf(site.folder),
    [`${oauth}.sasl.oauthbearer.expected.audience`]: 'kafka',
  }
}

/** The address of the keys that tokens are verified by. The JVM must be told that it may be read. */
export function keysOf(folder: string): string {
  return `file://${join(folder, 'jwks.json')}`
}

function nameOf(kind: KafkaListener): string {
  return kind.toUpperCase()
}

const LOGGING = `status=error
rootLogger.level=info
rootLogger.appenderRef.out.ref=out
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%p %c{1}: %m%n
`
