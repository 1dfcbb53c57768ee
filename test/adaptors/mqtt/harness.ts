import type { MqttOptions } from '../../../src/adaptors/mqtt/index.ts'
import { mqtt } from '../../../src/adaptors/mqtt/index.ts'
import type { Harness, Promises } from '../../../src/contract/conformance/index.ts'
import type { Auth, DialRequest, TlsSettings } from '../../../src/contract/index.ts'
import { parseAddress } from '../../../src/kit/address.ts'
import type { TestBroker } from '../../brokers/index.ts'
import { freePorts, startEmbedded, startMosquitto } from '../../brokers/index.ts'
import type { FaultProxy } from '../../fault/proxy.ts'
import { startProxy } from '../../fault/proxy.ts'
import type { PairFiles, TestPki } from '../../pki.ts'
import { createTestPki } from '../../pki.ts'
import { tlsFrom } from './support.ts'

/** Which broker, which version, which way. */
export interface MqttCase {
  /** The broker. */
  readonly broker: 'mosquitto' | 'embedded'
  /** The version to speak. */
  readonly version: '5' | '3.1.1'
  /** Plaintext with a password, or mutual TLS. */
  readonly listener: 'plain' | 'mutual'
}

/** A harness together with the broker that it runs against. */
export interface RunningHarness {
  /** For `conformance()`. */
  readonly harness: Harness<MqttOptions>
  /** Starts the broker. */
  readonly start: () => Promise<void>
  /** Stops it. */
  readonly stop: () => Promise<void>
}

const KEEP_ALIVE_SECONDS = 1
const PASSWORD = 'correct horse'
const RIGHTS = { edge: ['readwrite open/#', 'read $share/+/open/#'] } as const

const CONFIGURATIONS: Harness['configurations'] = [
  { address: parseAddress('mqtt://a'), config: {} },
  { address: parseAddress('mqtt://b'), config: {} },
  { address: parseAddress('mqtts://a'), config: {} },
  { address: parseAddress('mqtt://a:1884'), config: {} },
  { address: parseAddress('ws://a'), config: {} },
  { address: parseAddress('ws://a/path'), config: {} },
  { address: parseAddress('ws://a'), config: { websocketHeaders: { authorization: 'Bearer hunter2' } } },
  { address: parseAddress('mqtt://a'), config: { qos: 2 } },
  { address: parseAddress('mqtt://a'), config: { clientId: 'x' } },
  { address: parseAddress('mqtt://a'), config: { keepAliveSeconds: 5 } },
  { address: parseAddress('mqtt://a'), config: { will: { topic: 't', payload: 'gone' } } },
]

/** Makes the harness of one case. The broker stands behind a proxy that makes the line fail. */
export function mqttHarness({ broker: kind, version, listener }: MqttCase): RunningHarness {
  const site = new Site(kind, listener)
  let last = 0
  const unique = (label: string): string => {
    last += 1
    return `${label.replaceAll(/[^\w-]/g, '-')}-${last}`
  }
  const options = (port: number, more: Readonly<Record<string, unknown>> = {}): MqttOptions => {
    const scheme = listener === 'plain' ? 'mqtt' : 'mqtts'
    const config = { version, keepAliveSeconds: KEEP_ALIVE_SECONDS, publishTimeoutMs: 5000, ...more }
    return mqtt.options(parseAddress(`${scheme}://127.0.0.1:${port}`), config)
  }
  const request = (from: MqttOptions): DialRequest<MqttOptions> => ({ options: from, ...site.credentials })
  const harness: Harness<MqttOptions> = {
    adaptor: mqtt,
    promises: promises(kind, version),
    client(client) {
      const durable = { clientId: unique('client'), sessionExpirySeconds: 300 }
      return request(options(site.proxy.port, client === 'durable' ? durable : {}))
    },
    stranger: () => ({ options: options(site.proxy.port), ...site.stranger }),
    async unreachable() {
      const [port = 0] = await freePorts(1)
      return request(options(port))
    },
    topic: (label) => `open/${unique(label)}`,
    group: unique,
    pattern() {
      const root = `open/${unique('pattern')}`
      return {
        pattern: `${root}/+/events`,
        matching: [`${root}/a/events`, `${root}/b/events`],
        other: [`${root}/a/states`, `${root}/events`],
      }
    },
    badTopics: ['', 'a/+/b', 'a/#', 'a\0b', 'x'.repeat(70_000)],
    forbidden: { publish: 'closed/door', subscribe: 'closed/door' },
    configurations: CONFIGURATIONS,
    secrets: [PASSWORD, 'hunter2'],
    openSockets: () => site.proxy.connections,
    faults: {
      cut: () => site.proxy.cut(),
      reset: () => site.proxy.reset(),
      delay: (ms) => site.proxy.delay(ms),
      freeze: (on) => site.proxy.freeze(on),
      kill: () => site.broker.kill(),
      restart: () => site.broker.restart(),
    },
  }
  return { harness, start: () => site.start(), stop: () => site.stop() }
}

function promises(kind: MqttCase['broker'], version: MqttCase['version']): Promises {
  return {
    acknowledgedSurvivesKill: false,
    acknowledgedSurvivesRestart: kind === 'mosquitto',
    durableBy: 'identity',
    // what it still has queued for a session that comes back it may send twice
    repeatsOnResume: kind === 'embedded',
    // and it mixes that with what is published meanwhile, to any client
    reordersOnResume: kind === 'embedded',
    // it never sets the flag of a repeat
    repeatsUnmarked: kind === 'embedded',
    largePayloadBytes: 500_000,
    // only MQTT 5 tells the limit of the broker
    refusedPayloadBytes: version === '5' ? 3_000_000 : undefined,
    keepAliveMs: KEEP_ALIVE_SECONDS * 1000,
    freezeNoticedMs: KEEP_ALIVE_SECONDS * 2000,
  }
}

/** The broker, its certificates and the proxy in front of it. */
class Site {
  readonly #kind: MqttCase['broker']
  readonly #listener: MqttCase['listener']
  #pki: TestPki | undefined
  #broker: TestBroker | undefined
  #proxy: FaultProxy | undefined
  #own: PairFiles | undefined
  #foreign: PairFiles | undefined

  constructor(kind: MqttCase['broker'], listener: MqttCase['listener']) {
    this.#kind = kind
    this.#listener = listener
  }

  get broker(): TestBroker {
    return this.#broker ?? missing()
  }

  get proxy(): FaultProxy {
    return this.#proxy ?? missing()
  }

  get credentials(): { readonly tls: TlsSettings | undefined; readonly auth: Auth | undefined } {
    if (this.#listener === 'plain') return { tls: undefined, auth: { user: 'edge', password: PASSWORD } }
    return { tls: tlsFrom(this.#pki?.ca, this.#own), auth: undefined }
  }

  get stranger(): { readonly tls: TlsSettings | undefined; readonly auth: Auth | undefined } {
    if (this.#listener === 'plain') return { tls: undefined, auth: { user: 'edge', password: 'guessed' } }
    return { tls: tlsFrom(this.#pki?.ca, this.#foreign), auth: undefined }
  }

  async start(): Promise<void> {
    this.#pki = await createTestPki()
    this.#own = await this.#pki.client('edge')
    this.#foreign = await this.#pki.foreign('client', 'edge')
    const common = {
      listeners: [this.#listener],
      pki: this.#pki,
      users: { edge: PASSWORD },
      acl: RIGHTS,
    }
    this.#broker = await (this.#kind === 'embedded'
      ? startEmbedded(common)
      : startMosquitto({
          ...common,
          persistence: true,
          refusesSubscriptions: true,
          // MQTT 3.1.1 cannot ask for more than the broker's own limit on its way, 20 by default
          settings: { max_packet_size: 2_000_000, max_inflight_messages: 1000 },
        }))
    this.#proxy = await startProxy({ host: '127.0.0.1', port: this.#broker.port(this.#listener) })
  }

  async stop(): Promise<void> {
    await this.#proxy?.close()
    await this.#broker?.stop()
    await this.#pki?.close()
  }
}

function missing(): never {
  throw new Error('Cannot test: the broker is not started, start it in a hook before')
}
