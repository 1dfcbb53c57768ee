import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

import type { FaultProxy } from '../fault/proxy.ts'
import { startProxy } from '../fault/proxy.ts'
import type { TestPki } from '../pki.ts'
import { createTestPki } from '../pki.ts'
import type { TestBroker } from './broker.ts'
import { BrokerProcess, controlsOf } from './broker-process.ts'
import { freePorts } from './ports.ts'
import { findCommand } from './require.ts'

/** The two ports of a Redis server: plaintext, and TLS. */
export const REDIS_LISTENERS = ['plain', 'tls'] as const
/** One of {@link REDIS_LISTENERS}. */
export type RedisListener = (typeof REDIS_LISTENERS)[number]

/** Who may set up things: a user of its own, whatever else a test demands. */
const ADMIN = 'admin'

/** How Redis is started. */
export interface RedisServerOptions {
  /** Users with their rules, in the notation of ACL SETUSER; `default` is the one that names no user. @default everybody may do everything */
  readonly users?: Readonly<Record<string, string>>
  /** Whether the TLS port demands client certificates. @default true */
  readonly demandsCertificate?: boolean
  /** Ports that clients reach through a proxy of their own. */
  readonly proxied?: readonly RedisListener[]
  /** Further lines of the configuration, for example `{ maxmemory: '4mb' }`. */
  readonly settings?: Readonly<Record<string, string | number>>
}

/** A Redis server that a test has started. Whoever starts one stops it. */
export interface RedisServer extends Omit<TestBroker, 'port' | 'url' | 'pki'> {
  /** The CA behind its TLS port. */
  readonly pki: TestPki
  /** The port that clients use: that of its proxy where it has one. */
  port(kind: RedisListener): number
  /** The address of a port, for example `rediss://127.0.0.1:21345`. */
  url(kind: RedisListener): string
  /** The proxy before a port that was asked for. */
  proxy(kind: RedisListener): FaultProxy
  /** Runs redis-cli as a user who may do everything; resolves to what it printed, without the last line end. */
  cli(...words: readonly string[]): Promise<string>
}

/** Starts a Redis server that writes each command to disk before it answers, and waits until it accepts connections. */
export async function startRedis(options: RedisServerOptions = {}): Promise<RedisServer> {
  const pki = await createTestPki()
  const folder = await mkdtemp(join(tmpdir(), 'backhaul-redis-'))
  const proxies = new Map<RedisListener, FaultProxy>()
  const config = join(folder, 'redis.conf')
  const server = new BrokerProcess({
    name: 'redis',
    command: findCommand('redis-server') ?? 'redis-server',
    args: [config],
    ready: /Ready to accept connections/,
  })
  const cleanUp = async () => {
    await Promise.all([...proxies.values()].map((proxy) => proxy.close()))
    await rm(folder, { recursive: true, force: true })
    await pki.close()
  }
  try {
    const ports = await startOnFreePorts(server, async ([plain = 0, tls = 0]) => {
      await writeFile(config, configText(folder, pki, { plain, tls }, options), { mode: 0o600 })
      await writeFile(join(folder, 'users.acl'), aclText(options.users), { mode: 0o600 })
    })
    for (const kind of options.proxied ?? []) {
      proxies.set(kind, await startProxy({ host: '127.0.0.1', port: ports[kind] }))
    }
    return serverOf({ name: await versionOf(), server, pki, ports, proxies, cleanUp })
  } catch (error) {
    await server.kill()
    await cleanUp()
    throw error
  }
}

type Ports = Readonly<Record<RedisListener, number>>

async function startOnFreePorts(
  server: BrokerProcess,
  write: (ports: readonly number[]) => Promise<void>,
): Promise<Ports> {
  for (let tries = 1; ; tries += 1) {
    const [plain = 0, tls = 0] = await freePorts(2)
    try {
      await write([plain, tls])
      await server.start()
      return { plain, tls }
    } catch (error) {
      // another process may take a port between the look and the start
      if (tries >= 5 || !server.log.some((line) => /address already in use/i.test(line))) throw error
    }
  }
}

function configText(folder: string, pki: TestPki, ports: Ports, options: RedisServerOptions): string {
  const lines: Record<string, string | number> = {
    bind: '127.0.0.1',
    port: ports.plain,
    'tls-port': ports.tls,
    'tls-cert-file': pki.server.cert,
    'tls-key-file': pki.server.key,
    'tls-ca-cert-file': pki.ca,
    'tls-auth-clients': (options.demandsCertificate ?? true) ? 'yes' : 'no',
    dir: folder,
    aclfile: join(folder, 'users.acl'),
    save: '""',
    appendonly: 'yes',
    appendfsync: 'always',
    'enable-debug-command': 'yes',
    ...options.settings,
  }
  return Object.entries(lines)
    .map(([name, value]) => `${name} ${value}\n`)
    .join('')
}

function aclText(users: RedisServerOptions['users'] = {}): string {
  const all = { default: 'on nopass ~* &* +@all', ...users, [ADMIN]: 'on nopass ~* &* +@all' }
  return Object.entries(all)
    .map(([name, rules]) => `user ${name} ${rules}\n`)
    .join('')
}

interface Parts {
  readonly name: string
  readonly server: BrokerProcess
  readonly pki: TestPki
  readonly ports: Ports
  readonly proxies: ReadonlyMap<RedisListener, FaultProxy>
  readonly cleanUp: () => Promise<void>
}

function serverOf({ name, server, pki, ports, proxies, cleanUp }: Parts): RedisServer {
  const port = (kind: RedisListener) => proxies.get(kind)?.port ?? ports[kind]
  const stop = async () => {
    await server.stop()
    await cleanUp()
  }
  return {
    name,
    acknowledgedSurvivesKill: true,
    acknowledgedSurvivesRestart: true,
    pki,
    get pid() {
      return server.pid
    },
    log: server.log,
    port,
    url: (kind) => `${kind === 'plain' ? 'redis' : 'rediss'}://127.0.0.1:${port(kind)}`,
    proxy(kind) {
      const found = proxies.get(kind)
      if (found === undefined) throw new Error(`The port "${kind}" has no proxy: ask for it in proxied`)
      return found
    },
    async cli(...words) {
      const login = ['-p', String(ports.plain), '--user', ADMIN, '--pass', 'any', '--no-auth-warning']
      const { stdout } = await promisify(execFile)('redis-cli', [...login, ...words], { timeout: 20_000 })
      return stdout.replace(/\n$/, '')
    },
    ...controlsOf(server, stop),
  }
}

async function versionOf(): Promise<string> {
  const { stdout } = await promisify(execFile)(findCommand('redis-server') ?? 'redis-server', ['--version'])
  return `redis ${/v=(\S+)/.exec(stdout)?.[1] ?? ''}`.trim()
}
