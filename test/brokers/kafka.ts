import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

import type { FaultProxy } from '../fault/proxy.ts'
import { startProxy } from '../fault/proxy.ts'
import type { PairFiles, TestPki } from '../pki.ts'
import { createTestPki } from '../pki.ts'
import type { TestBroker } from './broker.ts'
import { BrokerProcess } from './broker-process.ts'
import type { KafkaAdmin } from './kafka-admin.ts'
import { kafkaAdmin } from './kafka-admin.ts'
import { javaCommand, kafkaJars, kafkaVersion } from './kafka-jars.ts'
import type { KafkaListener, KafkaSite, ListenerPorts } from './kafka-settings.ts'
import { KAFKA_LISTENERS, writeKafkaFiles } from './kafka-settings.ts'
import { freePorts } from './ports.ts'

export type { KafkaListener } from './kafka-settings.ts'

/** Starting takes about 4 s on a quiet machine; after a kill the old registration must end first. */
const START_TIMEOUT_MS = 60_000
/** A JVM of a few hundred megabytes that starts quickly. */
const JVM = ['-Xmx512m', '-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-Xshare:auto']

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
    const [controller = 0] = await freePorts(1)
    const { users = {}, settings = {} } = options
    const site: KafkaSite = {
      folder,
      listeners,
      controller,
      pki,
      server: options.server ?? pki.server,
      users,
      settings,
    }
    const config = await writeKafkaFiles(site)
    const java = javaIn(folder, jars)
    await format(java, config, users)
    const server = new BrokerProcess({
      name: 'kafka',
      command: javaCommand(),
      args: [...java, '-Xlog:disable', 'kafka.Kafka', config],
      ready: /Kafka Server started/,
      readyTimeoutMs: START_TIMEOUT_MS,
    })
    await server.start()
    return brokerOf({ server, site, proxies, tools: [...JVM, '-cp', join(jars, '*')], cleanUp })
  } catch (error) {
    await cleanUp()
    throw error
  }
}

async function layOut(
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

function javaIn(folder: string, jars: string): string[] {
  const logging = `-Dlog4j2.configurationFile=file:${join(folder, 'log4j2.properties')}`
  return [...JVM, logging, '-cp', join(jars, '*')]
}

/** Writes the folder's metadata, with the users of SCRAM in it. */
async function format(
  java: readonly string[],
  config: string,
  users: Readonly<Record<string, string>>,
): Promise<void> {
  const scram = Object.entries(users).flatMap(([user, password]) =>
    ['SCRAM-SHA-256', 'SCRAM-SHA-512'].flatMap((mechanism) => [
      '--add-scram',
      `${mechanism}=[name=${user},password=${password}]`,
    ]),
  )
  const words = ['kafka.tools.StorageTool', 'format', '-t', 'YmFja2hhdWwtdGVzdHMtMQ', '-c', config, ...scram]
  await promisify(execFile)(javaCommand(), [...java, ...words])
}

interface Parts {
  readonly server: BrokerProcess
  readonly site: KafkaSite
  readonly proxies: ReadonlyMap<KafkaListener, FaultProxy>
  readonly tools: readonly string[]
  readonly cleanUp: () => Promise<void>
}

function brokerOf({ server, site, proxies, tools, cleanUp }: Parts): KafkaBroker {
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
    // the broker's log goes to the output, where a tool has its results
    tool: (className, words, input) => runTool([...tools, className, ...words], input),
    waitForLog: (pattern, limits) => server.waitForLog(pattern, limits),
    stop,
    shutDown: () => server.stop(),
    kill: () => server.kill(),
    freeze: () => server.signal('SIGSTOP'),
    thaw: () => server.signal('SIGCONT'),
    async restart() {
      await server.stop()
      await server.start()
    },
    [Symbol.asyncDispose]: stop,
  }
}

async function runTool(words: readonly string[], input: string | undefined): Promise<string> {
  const running = promisify(execFile)(javaCommand(), words, { maxBuffer: 64 * 1024 ** 2, timeout: 60_000 })
  running.child.stdin?.end(input ?? '')
  return (await running).stdout
}
