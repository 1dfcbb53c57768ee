import { createHash, randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import type { PairFiles, TestPki } from '../pki.ts'

/** What an identity of RabbitMQ may do. Each text is a regular expression; `''` allows nothing. */
export interface RabbitmqUser {
  /** Without one, only a certificate with this common name proves it. */
  readonly password?: string
  /** The virtual hosts that it may use. @default ['/'] */
  readonly virtualHosts?: readonly string[]
  /** Queues and exchanges that it may make. @default '.*' */
  readonly configure?: string
  /** Exchanges that it may publish to, and queues that it may bind. @default '.*' */
  readonly write?: string
  /** Queues that it may read, and exchanges that it may bind to. @default '.*' */
  readonly read?: string
  /** Topics of `amq.topic` that it may publish to and bind. @default no limit */
  readonly topics?: { readonly write: string; readonly read: string }
}

/** A queue that is there from the start. */
export interface RabbitmqQueue {
  /** Its name. */
  readonly name: string
  /** Patterns of topics of `amq.topic` that come to it. @default none */
  readonly topics?: readonly string[]
  /** Its arguments, for example `{ 'x-max-length': 1 }`. */
  readonly arguments?: Readonly<Record<string, string | number>>
}

/** What RabbitMQ knows from the start. */
export interface RabbitmqDefinitions {
  /** Its identities. @default `guest`, who may do everything */
  readonly users?: Readonly<Record<string, RabbitmqUser>>
  /** Virtual hosts beside `/`. @default none */
  readonly virtualHosts?: readonly string[]
  /** Durable queues. @default none */
  readonly queues?: readonly RabbitmqQueue[]
  /** Durable exchanges with their types. @default none */
  readonly exchanges?: Readonly<Record<string, string>>
}

/** What the files of a RabbitMQ are made of. */
export interface RabbitmqSite extends RabbitmqDefinitions {
  /** A folder of its own. */
  readonly folder: string
  /** The port in plaintext. */
  readonly port: number
  /** The port with TLS. */
  readonly tlsPort: number
  /** The CA of its TLS listener. */
  readonly pki: TestPki
  /** Certificate of its TLS listener. */
  readonly server: PairFiles
  /** Whether a client must show a certificate. One that is shown is always verified. */
  readonly demandsCertificate: boolean
  /** Further lines of its configuration. */
  readonly settings: Readonly<Record<string, string | number | boolean>>
}

/** Writes configuration, definitions and the list of plugins. */
export async function writeRabbitmqFiles(site: RabbitmqSite): Promise<void> {
  const { folder, pki, server } = site
  const definitions = join(folder, 'definitions.json')
  const settings = {
    'listeners.tcp.1': `127.0.0.1:${site.port}`,
    'listeners.ssl.1': `127.0.0.1:${site.tlsPort}`,
    'ssl_options.cacertfile': pki.ca,
    'ssl_options.certfile': server.cert,
    'ssl_options.keyfile': server.key,
    'ssl_options.verify': 'verify_peer',
    'ssl_options.fail_if_no_peer_cert': site.demandsCertificate,
    ssl_cert_login_from: 'common_name',
    'auth_mechanisms.1': 'PLAIN',
    'auth_mechanisms.2': 'AMQPLAIN',
    'auth_mechanisms.3': 'EXTERNAL',
    loopback_users: 'none',
    load_definitions: definitions,
    'log.console': true,
    'log.console.level': 'info',
    'log.file': false,
    'disk_free_limit.absolute': '10MB',
    ...site.settings,
  }
  const lines = Object.entries(settings).map(([name, value]) => `${name} = ${value}\n`)
  await writeFile(join(folder, 'rabbitmq.conf'), lines.join(''), { mode: 0o600 })
  await writeFile(join(folder, 'plugins'), '[rabbitmq_auth_mechanism_ssl].\n')
  await writeFile(definitions, JSON.stringify(definitionsOf(site)), { mode: 0o600 })
}

function definitionsOf({ users = { guest: { password: 'guest' } }, ...site }: RabbitmqDefinitions) {
  const people = Object.entries(users)
  const queues = site.queues ?? []
  return {
    vhosts: ['/', ...(site.virtualHosts ?? [])].map((name) => ({ name })),
    users: people.map(([name, { password }]) => ({
      name,
      password_hash: password === undefined ? '' : hashOf(password),
      hashing_algorithm: 'rabbit_password_hashing_sha256',
      tags: '',
    })),
    permissions: people.flatMap(([user, { virtualHosts = ['/'], configure, write, read }]) =>
      virtualHosts.map((vhost) => ({
        user,
        vhost,
        configure: configure ?? '.*',
        write: write ?? '.*',
        read: read ?? '.*',
      })),
    ),
    topic_permissions: people.flatMap(([user, { topics }]) =>
      topics === undefined ? [] : [{ user, vhost: '/', exchange: 'amq.topic', ...topics }],
    ),
    exchanges: Object.entries(site.exchanges ?? {}).map(([name, type]) => ({
      name,
      type,
      vhost: '/',
      durable: true,
      auto_delete: false,
      internal: false,
      arguments: {},
    })),
    queues: queues.map(({ name, arguments: given = {} }) => ({
      name,
      vhost: '/',
      durable: true,
      auto_delete: false,
      arguments: given,
    })),
    bindings: queues.flatMap(({ name, topics = [] }) =>
      topics.map((topic) => ({
        source: 'amq.topic',
        vhost: '/',
        destination: name,
        destination_type: 'queue',
        routing_key: topic,
        arguments: {},
      })),
    ),
  }
}

/** A salted hash as RabbitMQ keeps it: the salt, then SHA-256 of salt and password. */
function hashOf(password: string): string {
  const salt = randomBytes(4)
  const digest = createHash('sha256').update(salt).update(password).digest()
  return Buffer.concat([salt, digest]).toString('base64')
}
