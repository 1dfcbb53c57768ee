import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import type { TestPki } from '../pki.ts'
import { createTestPki } from '../pki.ts'
import type { BrokerProcess } from './broker-process.ts'
import type { KafkaAdmin } from './kafka-admin.ts'
import { kafkaAdmin } from './kafka-admin.ts'
import { kafkaJars } from './kafka-jars.ts'
import { prepareNode } from './kafka-node.ts'
import type { KafkaListener, ListenerPorts } from './kafka-settings.ts'
import { layOut } from './kafka.ts'
import { freePorts } from './ports.ts'
import { createTokenIssuer } from './token-issuer.ts'

const NODES = [1, 2, 3] as const

/** Every topic of Kafka's own has three copies; what is acknowledged by all lies at two nodes at least. */
const THREE_COPIES: Readonly<Record<string, number>> = {
  'offsets.topic.replication.factor': 3,
  'default.replication.factor': 3,
  'min.insync.replicas': 2,
  'transaction.state.log.replication.factor': 3,
  'transaction.state.log.min.isr': 2,
  'share.coordinator.state.topic.replication.factor': 3,
  'share.coordinator.state.topic.min.isr': 2,
  // another node takes over within a second or two
  'controller.quorum.fetch.timeout.ms': 1000,
  'controller.quorum.election.timeout.ms': 500,
}

/** An Apache Kafka of three nodes, each broker and controller, that a test has started. Whoever starts one stops it. */
export interface KafkaCluster extends AsyncDisposable {
  /** The CA behind the TLS listeners. */
  readonly pki: TestPki
  /** What a test sets up: topics and access rights. */
  readonly admin: KafkaAdmin
  /** The address of a listener with all nodes, for example `kafkas://127.0.0.1:21345,127.0.0.1:21346,127.0.0.1:21347`. */
  url(kind: KafkaListener): string
  /** Ends a node at once (SIGKILL); nodes are numbered from 1. */
  kill(node: number): Promise<void>
  /** Starts a node again on its ports, with its files. */
  start(node: number): Promise<void>
  /** Ends all nodes and removes their folder. */
  stop(): Promise<void>
}

/** Starts three nodes and waits until all answer. */
export async function startKafkaCluster(): Promise<KafkaCluster> {
  const jars = kafkaJars()
  if (jars === undefined) throw new Error('Cannot start Kafka: its jars are not there, run setup-brokers')
  const pki = await createTestPki()
  const folder = await mkdtemp(join(tmpdir(), 'backhaul-kafka-'))
  const processes = new Map<number, BrokerProcess>()
  const stop = async () => {
    await admin?.close()
    await Promise.all([...processes.values()].map((server) => server.kill()))
    await rm(folder, { recursive: true, force: true })
    await pki.close()
  }
  let admin: KafkaAdmin | undefined
  try {
    const tokens = createTokenIssuer()
    const controllers = await freePorts(NODES.length)
    const places: ListenerPorts[][] = []
    for (const node of NODES) {
      const listeners = await layOut([], new Map())
      places.push(listeners)
      const own = join(folder, String(node))
      await mkdir(own)
      const base = { folder: own, listeners, node, controllers, pki, server: pki.server }
      processes.set(node, await prepareNode({ ...base, users: {}, tokens, settings: THREE_COPIES }, jars))
    }
    await Promise.all([...processes.values()].map((server) => server.start()))
    const hosts = (kind: KafkaListener) =>
      places.map((listeners) => `127.0.0.1:${listeners.find((one) => one.kind === kind)?.port ?? 0}`)
    admin = kafkaAdmin(...hosts('plain'))
    const processOf = (node: number) => {
      const server = processes.get(node)
      if (server === undefined) throw new Error(`This cluster has no node ${node}`)
      return server
    }
    return {
      pki,
      admin,
      url: (kind) => {
        const scheme = kind === 'plain' || kind === 'saslPlain' ? 'kafka' : 'kafkas'
        return `${scheme}://${hosts(kind).join(',')}`
      },
      kill: (node) => processOf(node).kill(),
      start: (node) => processOf(node).start(),
      stop,
      [Symbol.asyncDispose]: stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}
