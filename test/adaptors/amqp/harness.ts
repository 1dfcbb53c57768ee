import type { AmqpOptions } from '../../../src/adaptors/amqp/index.ts'
import { amqp } from '../../../src/adaptors/amqp/index.ts'
import type { Faults, Harness } from '../../../src/contract/conformance/index.ts'
import type { DialRequest } from '../../../src/contract/index.ts'
import { parseAddress } from '../../../src/kit/address.ts'
import type { RabbitmqBroker } from '../../brokers/index.ts'
import { freePorts } from '../../brokers/index.ts'
import type { RabbitmqDefinitions } from '../../brokers/rabbitmq-settings.ts'
import type { PairFiles } from '../../pki.ts'
import { requestFor, tlsFrom } from './support.ts'

/** The harness's clients: a user with a password in plaintext, and the same with a certificate over TLS. */
export const USER = { user: 'edge', password: 'hunter2-amqp' } as const
const CERTIFIED = 'edge-certified'

/**
 * The queues of groups that the suite kills the broker with. RabbitMQ 3.10 writes down up to 3 s later that there is a new quorum queue,
 * and one that it was killed before has no leader for ever; so these are there from the start.
 */
const LASTING = Array.from({ length: 10 }, (_, index) => ({
  group: `t.load-${index}`,
  topic: `t.to-${index}`,
}))

/** What the broker of the harnesses begins with. Every topic of theirs has a queue, so that no message is unroutable. */
export const SITE: RabbitmqDefinitions = {
  users: {
    [USER.user]: { password: USER.password, topics: { write: '^x?t\\.', read: '^x?t\\.' } },
    [CERTIFIED]: { topics: { write: '^x?t\\.', read: '^x?t\\.' } },
  },
  queues: [
    { name: 'sink', topics: ['t.#', 'xt.#'], arguments: { 'x-max-length': 1 } },
    ...LASTING.map(({ group, topic }) => ({
      name: `${group}.${topic}`,
      topics: [topic],
      arguments: { 'x-queue-type': 'quorum' },
    })),
  ],
}

/** How a harness reaches the broker: in plaintext with a password, or over mutual TLS with EXTERNAL. */
export type Way = 'plain' | 'tls'

/** A RabbitMQ as the conformance suite wants it. The broker is started when the first test runs. */
export function amqpHarness(broker: () => RabbitmqBroker, way: Way): Harness<AmqpOptions> {
  let serial = 0
  const lasting = { groups: 0, topics: 0 }
  const unique = (label: string) => `t.${way}.${label}-${Date.now().toString(36)}-${(serial += 1)}`

  async function client(
    password: string = USER.password,
    pair?: PairFiles,
  ): Promise<DialRequest<AmqpOptions>> {
    const { pki } = broker()
    const options = { heartbeatSeconds: 1, publishTimeoutMs: 2500 }
    if (way === 'plain') {
      return requestFor(broker().url('plain'), { options, auth: { user: USER.user, password } })
    }
    const own = pair ?? (await pki.client(CERTIFIED))
    return requestFor(broker().url('tls'), { options, tls: tlsFrom(pki.ca, own) })
  }

  return {
    adaptor: amqp,
    promises: {
      acknowledgedSurvivesKill: true,
      acknowledgedSurvivesRestart: true,
      durableBy: 'group',
      largePayloadBytes: 1_000_000,
      refusedPayloadBytes: 16_777_217,
      keepAliveMs: 1000,
      freezeNoticedMs: 4000,
    },
    deadlines: { waitMs: 20_000 },
    client: () => client(),
    stranger: async () =>
      way === 'plain' ? client('wrong') : client('', await broker().pki.client('nobody')),
    async unreachable() {
      const [port = 0] = await freePorts(1)
      const request = await client()
      return { ...request, options: { ...request.options, hosts: [{ host: '127.0.0.1', port }] } }
    },
    topic: (label) => (label === 'load' ? LASTING[lasting.topics++]?.topic : undefined) ?? unique(label),
    group: (label) => (label === 'load' ? LASTING[lasting.groups++]?.group : undefined) ?? unique(label),
    pattern() {
      const root = unique('pattern')
      return {
        pattern: `${root}.*.events`,
        matching: [`${root}.a.events`, `${root}.b.events`],
        other: [`${root}.a.other`, `x${root}.a.events`, `${root}.a.b.events`],
      }
    },
    badTopics: ['', 'a.#', '*', 'x'.repeat(256), 'ü'.repeat(128)],
    forbidden: { publish: 'forbidden', subscribe: 'forbidden' },
    configurations: [
      { address: parseAddress('amqp://a'), config: {} },
      { address: parseAddress('amqps://a:5672'), config: {} },
      { address: parseAddress('amqp://a/other'), config: {} },
      { address: parseAddress('amqp://a,b'), config: {} },
      { address: parseAddress('amqp://a?mandatory=false'), config: {} },
      { address: parseAddress('amqp://a'), config: { exchange: 'other' } },
    ],
    secrets: [USER.password],
    faults: faultsOf(broker, way),
    openSockets: () => broker().proxy(way).connections,
  }
}

/** What happens to the line is the proxy's doing; the broker itself is killed and started. */
function faultsOf(broker: () => RabbitmqBroker, way: Way): Faults {
  const proxy = () => broker().proxy(way)
  return {
    cut: () => proxy().cut(),
    reset: () => proxy().reset(),
    delay: (ms) => proxy().delay(ms),
    freeze: (on) => proxy().freeze(on),
    kill: () => broker().kill(),
    restart: () => broker().restart(),
  }
}
