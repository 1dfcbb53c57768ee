import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { promisify } from 'node:util'

import type { FaultProxy } from '../fault/proxy.ts'
import { startProxy } from '../fault/proxy.ts'
import type { PairFiles, TestPki } from '../pki.ts'
import { createTestPki } from '../pki.ts'
import type { TestBroker } from './broker.ts'
import { BrokerProcess, controlsOf } from './broker-process.ts'
import { freePorts } from './ports.ts'
import type { RabbitmqDefinitions } from './rabbitmq-settings.ts'
import { writeRabbitmqFiles } from './rabbitmq-settings.ts'
import { findCommand, without } from './require.ts'

/** Starting takes about 6 s on a quiet machine, most of it in Erlang. */
const START_TIMEOUT_MS = 60_000
/** Debian's command changes to the user rabbitmq, who cannot read the files of a test; the program itself does not. */
const PROGRAMS = '/usr/lib/rabbitmq/bin'

/** Listeners of RabbitMQ: plaintext, and TLS where a client may show a certificate (or must, see the options). */
const LISTENERS = ['plain', 'tls'] as const
/** One of the two listeners. */
export type RabbitmqListener = (typeof LISTENERS)[number]

/** How RabbitMQ is started. */
export interface RabbitmqOptions extends RabbitmqDefinitions {
  /** The CA of its TLS listener; the caller closes it. @default one of its own, closed with it */
  readonly pki?: TestPki
  /** Certificate of its TLS listener. @default `pki.server` */
  readonly server?: PairFiles
  /** Whether a client must show a certificate to the TLS listener. @default false */
  readonly demandsCertificate?: boolean
  /** Listeners with a fault proxy before them: clients are sent through it. @default none */
  readonly proxied?: readonly RabbitmqListener[]
  /** Further lines of its configuration, for example `{ max_message_size: 100_000 }`. */
  readonly settings?: Readonly<Record<string, string | number | boolean>>
}

/** A RabbitMQ of one node that a test has started. Whoever starts one stops it. */
export interface RabbitmqBroker extends Omit<TestBroker, 'port' | 'url' | 'pki'> {
  /** The CA behind its TLS listener. */
  readonly pki: TestPki
  /** The port that clients of a listener use: that of its proxy where it has one. */
  port(kind: RabbitmqListener): number
  /** The address of a listener, for example `amqps://127.0.0.1:21345`. */
  url(kind: RabbitmqListener): string
  /** The proxy before a listener that was asked for. */
  proxy(kind: RabbitmqListener): FaultProxy
  /** Runs `rabbitmqctl` (about 2 s of CPU); resolves to what it printed. */
  ctl(...words: readonly string[]): Promise<string>
}

/** False where RabbitMQ and all `commands` are installed, otherwise the reason to skip. */
export function withoutRabbitmq(...commands: readonly string[]): string | false {
  return without('rabbitmq-server', 'epmd', ...commands)
}

/** Starts a RabbitMQ and waits until it listens. */
export async function startRabbitmq(options: RabbitmqOptions = {}): Promise<RabbitmqBroker> {
  const ownPki = options.pki === undefined ? await createTestPki() : undefined
  const pki = options.pki ?? ownPki
  if (pki === undefined) throw new Error('Cannot start RabbitMQ: it has no CA')
  const folder = await mkdtemp(join(tmpdir(), 'backhaul-rabbitmq-'))
  const [port = 0, tlsPort = 0, distribution = 0, mapper = 0] = await freePorts(4)
  const env = environment(folder, { port, distribution, mapper })
  // Erlang's map of names to ports: RabbitMQ would start one that outlives it
  const names = new BrokerProcess({
    name: 'epmd',
    command: findCommand('epmd') ?? 'epmd',
    args: ['-port', String(mapper), '-address', '127.0.0.1', '-d'],
    ready: /epmd running/,
  })
  const server = new BrokerProcess({
    name: 'rabbitmq',
    command: program('rabbitmq-server'),
    args: [],
    env,
    ready: /Server startup complete/,
    readyTimeoutMs: START_TIMEOUT_MS,
    stopTimeoutMs: 20_000,
  })
  const proxies = new Map<RabbitmqListener, FaultProxy>()
  const cleanUp = async () => {
    await names.kill()
    await Promise.all([...proxies.values()].map((proxy) => proxy.close()))
    await rm(folder, { recursive: true, force: true, maxRetries: 5 })
    await ownPki?.close()
  }
  try {
    const { demandsCertificate = false, settings = {}, server: pair = pki.server } = options
    await mkdir(join(folder, 'home'))
    await writeRabbitmqFiles({
      ...options,
      folder,
      port,
      tlsPort,
      pki,
      server: pair,
      demandsCertificate,
      settings,
    })
    for (const kind of options.proxied ?? []) {
      proxies.set(kind, await startProxy({ host: '127.0.0.1', port: kind === 'tls' ? tlsPort : port }))
    }
    await names.start()
    await server.start()
  } catch (error) {
    await server.kill()
    await cleanUp()
    throw error
  }
  return brokerOf({ server, ports: { plain: port, tls: tlsPort }, proxies, pki, env, cleanUp })
}

function environment(
  folder: string,
  ports: { readonly port: number; readonly distribution: number; readonly mapper: number },
): NodeJS.ProcessEnv {
  return {
    ...process.env,
    // the cookie of Erlang lies there
    HOME: join(folder, 'home'),
    ERL_EPMD_PORT: String(ports.mapper),
    ERL_EPMD_ADDRESS: '127.0.0.1',
    RABBITMQ_NODENAME: `test-${ports.port}@localhost`,
    RABBITMQ_DIST_PORT: String(ports.distribution),
    RABBITMQ_MNESIA_BASE: join(folder, 'data'),
    RABBITMQ_LOG_BASE: join(folder, 'log'),
    RABBITMQ_CONFIG_FILE: join(folder, 'rabbitmq.conf'),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, 'plugins'),
    RABBITMQ_PID_FILE: join(folder, 'pid'),
    RABBITMQ_CONF_ENV_FILE: '/dev/null',
    // the script becomes Erlang, instead of a shell that waits for it: signals go to the broker itself
    RABBITMQ_ALLOW_INPUT: '1',
    RABBITMQ_SERVER_START_ARGS: '-noinput',
    // threads that wait do not spin: other tests run beside it
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS:
      '+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none -kernel inet_dist_use_interface {127,0,0,1}',
  }
}

interface Parts {
  readonly server: BrokerProcess
  readonly ports: Readonly<Record<RabbitmqListener, number>>
  readonly proxies: ReadonlyMap<RabbitmqListener, FaultProxy>
  readonly pki: TestPki
  readonly env: NodeJS.ProcessEnv
  readonly cleanUp: () => Promise<void>
}

function brokerOf({ server, ports, proxies, pki, env, cleanUp }: Parts): RabbitmqBroker {
  const port = (kind: RabbitmqListener) => proxies.get(kind)?.port ?? ports[kind]
  const stop = async () => {
    await server.stop()
    await cleanUp()
  }
  return {
    name: `rabbitmq ${/RabbitMQ (\d[\d.]*)/.exec(server.log.join('\n'))?.[1] ?? 'of unknown version'}`,
    // what is persistent is on the disk before it is confirmed
    acknowledgedSurvivesKill: true,
    acknowledgedSurvivesRestart: true,
    pki,
    get pid() {
      return server.pid
    },
    log: server.log,
    port,
    url: (kind) => `${kind === 'tls' ? 'amqps' : 'amqp'}://127.0.0.1:${port(kind)}`,
    proxy: (kind) => {
      const found = proxies.get(kind)
      if (found === undefined) throw new Error(`The listener "${kind}" has no proxy: ask for it in proxied`)
      return found
    },
    async ctl(...words) {
      const { stdout } = await promisify(execFile)(program('rabbitmqctl'), words, { env, timeout: 60_000 })
      return stdout
    },
    ...controlsOf(server, stop),
  }
}

function program(name: string): string {
  const itself = join(PROGRAMS, name)
  return existsSync(itself) ? itself : (findCommand(name) ?? name)
}
