import assert from 'node:assert/strict'

import type { MqttOptions } from '../../../src/adaptors/mqtt/index.ts'
import { mqtt } from '../../../src/adaptors/mqtt/index.ts'
import type { Harness } from '../../../src/contract/conformance/index.ts'
import type { DialRequest } from '../../../src/contract/index.ts'
import { parseAddress } from '../../../src/kit/address.ts'
import type { MosquittoOptions, TestBroker } from '../../brokers/index.ts'
import { freePorts, startEmbedded, startMosquitto } from '../../brokers/index.ts'
import type { FaultProxy } from '../../fault/proxy.ts'
import { startProxy } from '../../fault/proxy.ts'
import type { TestPki } from '../../pki.ts'
import { createTestPki } from '../../pki.ts'
import { tlsFrom } from './support.ts'

/** Which link to which broker is held to the contract. */
export interface MqttSetup {
  /** The broker behind the proxy. */
  readonly broker: 'mosquitto' | 'embedded'
  /** The version that is asked for. */
  readonly version: '5' | '3.1.1'
  /** In plaintext with a password, or over TLS with client certificates. */
  readonly listener: 'plain' | 'mutual'
}

/** A harness whose broker and proxy are started and stopped by hooks. */
export interface MqttHarness extends Harness<MqttOptions> {
  /** Starts broker and proxy. */
  readonly open: () => Promise<void>
  /** Ends them. */
  readonly close: () => Promise<void>
}

const PASSWORD = 'hunter2-mqtt'
const USER = 'edge'
// a right to a shared subscription is one of its own
const RIGHTS: NonNullable<MosquittoOptions['acl']> = {
  [USER]: ['readwrite tests/#', 'read $share/+/tests/#'],
}
const MAX_PACKET = 2_000_000

/** What is there between `open()` and `close()`. */
interface Parts {
  readonly broker: TestBroker
  readonly proxy: FaultProxy
  readonly pki: TestPki
  readonly closedPort: number
  readonly trusted: Pick<DialRequest<MqttOptions>, 'tls' | 'auth'>
  readonly strange: Pick<DialRequest<MqttOptions>, 'tls' | 'auth'>
}

/** A real broker behind a fault proxy, as the conformance suite wants it. */
export function mqttHarness(setup: MqttSetup): MqttHarness {
  const { broker: kind, version, listener } = setup
  const scheme = listener === 'plain' ? 'mqtt' : 'mqtts'
  let parts: Parts | undefined
  const there = (): Parts => {
    assert.ok(parts !== undefined, 'the broker is not started')
    return parts
  }
  const optionsOf = (port: number, more: Readonly<Record<string, unknown>> = {}) =>
    mqtt.options(parseAddress(`${scheme}://127.0.0.1:${port}`), { version, keepAliveSeconds: 1, ...more })
  let serial = 0
  const unique = (label: string) => `${label}-${(serial += 1)}`
  return {
    adaptor: mqtt,
    open: async () => {
      parts = await start(setup)
    },
    close: async () => {
      if (parts !== undefined) await stop(parts)
    },
    promises: {
      acknowledgedSurvivesKill: false,
      acknowledgedSurvivesRestart: kind === 'mosquitto',
      durableBy: 'identity',
      largePayloadBytes: 1_000_000,
      // version 3.1.1 has no word for the limit of the broker, which hangs up
      refusedPayloadBytes: version === '5' ? MAX_PACKET : undefined,
      keepAliveMs: 1000,
      freezeNoticedMs: 4000,
    },
    client: (durability) => ({
      options: optionsOf(
        there().proxy.port,
        durability === 'durable' ? { clientId: unique('client'), sessionExpirySeconds: 3600 } : {},
      ),
      ...there().trusted,
    }),
    stranger: () => ({ options: optionsOf(there().proxy.port), ...there().strange }),
    unreachable: () => ({ options: optionsOf(there().closedPort), ...there().trusted }),
    topic: (label) => `tests/${unique(label)}`,
    group: unique,
    pattern: () => {
      const root = `tests/${unique('pattern')}`
      return {
        pattern: `${root}/+/events`,
        matching: [`${root}/a/events`, `${root}/b/events`],
        other: [`${root}/events`, `${root}/a/b/events`, `${root}/a/other`],
      }
    },
    badTopics: ['', 'a/+/b', 'a/#', 'nul\0'],
    forbidden: { publish: 'forbidden/a', subscribe: 'forbidden/a' },
    configurations: [
      { address: parseAddress(`${scheme}://one:1`), config: {} },
      { address: parseAddress(`${scheme}://one:2`), config: {} },
      { address: parseAddress(`${scheme}://one:1?qos=2`), config: {} },
      { address: parseAddress(`${scheme}://one:1`), config: { clientId: 'me' } },
      {
        address: parseAddress(`${scheme}://one:1`),
        config: { will: { topic: 'gone', payload: 'hunter2-mqtt-will' } },
      },
    ],
    secrets: [PASSWORD],
    faults: {
      cut: () => there().proxy.cut(),
      reset: () => there().proxy.reset(),
      delay: (ms) => there().proxy.delay(ms),
      kill: () => there().broker.kill(),
      restart: () => there().broker.restart(),
      // in plaintext the line is dead, over TLS the broker itself
      freeze: (on) => {
        if (listener === 'plain') there().proxy.freeze(on)
        else if (on) there().broker.freeze()
        else there().broker.thaw()
      },
    },
    openSockets: () => there().proxy.connections,
  }
}

async function start({ broker: kind, listener }: MqttSetup): Promise<Parts> {
  const pki = await createTestPki()
  const common = { listeners: [listener], pki, users: { [USER]: PASSWORD }, acl: RIGHTS } as const
  const broker =
    kind === 'embedded'
      ? await startEmbedded(common)
      : await startMosquitto({
          ...common,
          persistence: true,
          refusesSubscriptions: true,
          settings: { max_packet_size: MAX_PACKET, max_inflight_messages: 1000 },
        })
  const proxy = await startProxy({ host: '127.0.0.1', port: broker.port(listener) })
  const [closedPort = 0] = await freePorts(1)
  if (listener === 'plain') {
    const auth = (password: string) => ({ tls: undefined, auth: { user: USER, password } })
    return { broker, proxy, pki, closedPort, trusted: auth(PASSWORD), strange: auth('wrong') }
  }
  const tls = tlsFrom(pki.ca, await pki.client(USER))
  const foreign = tlsFrom(pki.ca, await pki.foreign('client', USER))
  return {
    broker,
    proxy,
    pki,
    closedPort,
    trusted: { tls, auth: undefined },
    strange: { tls: foreign, auth: undefined },
  }
}

async function stop({ broker, proxy, pki }: Parts): Promise<void> {
  await proxy.close()
  await broker.stop()
  await pki.close()
}
