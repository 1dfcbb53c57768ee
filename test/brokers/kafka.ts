import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import type { FaultProxy } from '../fault/proxy.ts'
import { startProxy } from '../fault/proxy.ts'
import type { PairFiles, TestPki } from '../pki.ts'
import { createTestPki } from '../pki.ts'
import type { TestBroker } from './broker.ts'
import type { BrokerProcess } from './broker-process.ts'
import { controlsOf } from './broker-process.ts'
import type { KafkaAdmin } from './kafka-admin.ts'
import { kafkaAdmin } from './kafka-admin.ts'
import { kafkaJars, kafkaVersion } from './kafka-jars.ts'
import { prepareNode, runTool } from './kafka-node.ts'
import type { KafkaListener, KafkaSite, ListenerPorts } from './kafka-settings.ts'
import { KAFKA_LISTENERS } from './kafka-settings.ts'
import { freePorts } from './ports.ts'
import type { TokenClaims } from './token-issuer.ts'
import { createTokenIssuer } from './token-issuer.ts'

export type { KafkaListener } from './kafka-settings.ts'

/** How Kafka is started. */
export interface KafkaOptions {
  /** The CA of its TLS listeners; the caller closes it. @default one of its own, closed with it */
  readonly pki?: TestPki
  /** Certificate of its TLS listeners. @default `pki.server` */
  readonly server?: PairFiles
  /** Passwords by user, for PLAIN and SCRAM. @default none */
  readonly users?: Readonly<Record<string, string>>
  /** Listeners with a fault proxy before them: clients are sent through it. @default none */
  readonly proxied?: readonly KafkaListener[]
  /** Further lines of the configuration, for example `{ 'message.max.bytes': 10_000 }`. */
  readonly settings?: Readonly<Record<string, string | number | boolean>>
}

/** An Apache Kafka of one node (KRaft) that a test has started. Whoever starts one stops it. */
export interface KafkaBroker extends Omit<TestBroker, 'port' | 'url' | 'pki'> {
  /** The CA behind its TLS listeners. */
  readonly pki: TestPki
  /** What a test sets up: topics and access rights. */
  readonly admin: KafkaAdmin
  /** The port that clients of a listener use: that of its proxy where it has one. */
  port(kind: KafkaListener): number
  /** The address of a listener, for example `kafkas://127.0.0.1:21345`. */
  url(kind: KafkaListener): string
  /** The proxy before a listener that was asked for. */
  proxy(kind: KafkaListener): FaultProxy
  /** Makes a token for the listener "oauth". */
  token(claims: TokenClaims): string
  /** Runs one of Kafka's own command-line tools by its class; resolves to what it printed. */
  tool(className: string, words: readonly string[], input?: string): Promise<string>
}

/** Starts an Apache Kafka and waits until it answers. All listeners are there. */
export async function startKafka(options: KafkaOptions = {}): Promise<KafkaBroker> {
  const jars = kafkaJars()
  if (jars === undefined) throw new Error('Cannot start Kafka: its jars are not there, run setup-brokers')
  const ownPki = options.pki === undefined ? await createTestPki() : undefined
  const pki = options.pki ?? ownPki
  if (pki === undefined) throw new Error('Cannot start Kafka: it has no CA')
  const folder = await mkdtemp(join(tmpdir(), 'backhaul-kafka-'))
  const proxies = new Map<KafkaListener, FaultProxy>()
  const cleanUp = async () => {
    await Promise.all([...proxies.values()].map((proxy) => proxy.close()))
    await rm(folder, { recursive: true, force: true })
    await ownPki?.close()
  }
  try {
    const listeners = await layOut(options.proxied ?? [], proxies)
    const { users = {}, settings = {} } = options
    const site: KafkaSite = {
      folder,
      listeners,
      node: 1,
      controllers: await freePorts(1),
      pki,
      server: options.server ?? pki.server,
      users,
      tokens: createTokenIssuer(),
      settings,
    }
    const server = await prepareNode(site, jars)
    await server.start()
    return brokerOf({ server, site, proxies, jars, cleanUp })
  } catch (error) {
    await cleanUp()
    throw error
  }
}

/** Finds ports for all listeners, and starts the proxies before them. */
export async function layOut(
  proxied: readonly KafkaListener[],
  proxies: Map<KafkaListener, FaultProxy>,
): Promise<ListenerPorts[]> {
  const ports = await freePorts(KAFKA_LISTENERS.length)
  const listeners: ListenerPorts[] = []
  for (const [index, kind] of KAFKA_LISTENERS.entries()) {
    const port = ports[index] ?? 0
    if (proxied.includes(kind)) proxies.set(kind, await startProxy({ host: '127.0.0.1', port }))
    listeners.push({ kind, port, advertised: proxies.get(kind)?.port ?? port })
  }
  return listeners
}

interface Parts {
  readonly server: BrokerProcess
  readonly site: KafkaSite
  readonly proxies: ReadonlyMap<KafkaListener, FaultProxy>
  readonly jars: string
  readonly cleanUp: () => Promise<void>
}

function brokerOf({ server, site, proxies, jars, cleanUp }: Parts): KafkaBroker {
  const ports = (kind: KafkaListener): ListenerPorts => {
    const found = site.listeners.find((one) => one.kind === kind)
    if (found === undefined) throw new Error(`This Kafka has no listener "${kind}"`)
    return found
  }
  const admin = kafkaAdmin(`127.0.0.1:${ports('plain').port}`)
  const stop = async () => {
    await admin.close()
    await server.stop()
    await cleanUp()
  }
  return {
    name: `kafka ${kafkaVersion()}`,
    // it leaves writing to the system's cache, which outlives the process
    acknowledgedSurvivesKill: true,
    acknowledgedSurvivesRestart: true,
    pki: site.pki,
    admin,
    get pid() {
      return server.pid
    },
    log: server.log,
    port: (kind) => ports(kind).advertised,
    url: (kind) => {
      const scheme = kind === 'plain' || kind === 'saslPlain' ? 'kafka' : 'kafkas'
      return `${scheme}://127.0.0.1:${ports(kind).advertised}`
    },
    proxy: (kind) => {
      const found = proxies.get(kind)
      if (found === undefined) throw new Error(`The listener "${kind}" has no proxy: ask for it in proxied`)
      return found
    },
    token: (claims) => site.tokens.token(claims),
    tool: (className, words, input) => runTool(jars, className, words, input),
    ...controlsOf(server, stop),
  }
}
