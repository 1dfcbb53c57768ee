import type { MemoryBroker, MemoryBrokerSettings } from '../../../src/adaptors/memory/index.ts'
import { createMemoryBroker, memoryAdaptor } from '../../../src/adaptors/memory/index.ts'
import type { MemoryOptions } from '../../../src/adaptors/memory/index.ts'
import type { Harness, Promises } from '../../../src/contract/conformance/index.ts'
import type { DialRequest } from '../../../src/contract/index.ts'
import { parseAddress } from '../../../src/kit/address.ts'

/** A harness, and the broker behind it. */
export interface MemoryHarness extends Harness<MemoryOptions> {
  readonly broker: MemoryBroker
}

const PASSWORD = 'hunter2-memory'

/**
 * A memory broker as the conformance suite wants one: quick to notice a freeze, with a user who is refused and
 * topics that are forbidden.
 */
export function memoryHarness(
  settings: MemoryBrokerSettings = {},
  promises: Partial<Promises> = {},
): MemoryHarness {
  const broker = createMemoryBroker({ keepAliveMs: 120, closeTimeoutMs: 100, ...settings })
  broker.acceptCredentials(({ auth }) => auth?.user !== 'stranger')
  broker.refuse({ scope: 'topic', topic: 'forbidden/#' })
  const down = createMemoryBroker({ name: 'down' })
  down.down()
  const adaptor = memoryAdaptor(broker)
  let serial = 0
  const unique = (label: string) => `${label}-${(serial += 1)}`
  const request = (clientId: string | undefined, user = 'somebody'): DialRequest<MemoryOptions> => ({
    options: { broker: 'conformance', clientId },
    tls: undefined,
    auth: { user, password: PASSWORD },
  })
  return {
    broker,
    adaptor: {
      ...adaptor,
      dial: (dialled, signal) =>
        dialled.options.broker === 'down' ? down.dial(dialled, signal) : adaptor.dial(dialled, signal),
    },
    promises: {
      acknowledgedSurvivesKill: true,
      acknowledgedSurvivesRestart: true,
      durableBy: 'identity',
      largePayloadBytes: 1024 ** 2,
      refusedPayloadBytes: broker.capabilities.maxPayloadBytes + 1,
      keepAliveMs: 120,
      freezeNoticedMs: 1000,
      ...promises,
    },
    deadlines: { quietMs: 30 },
    client: (kind) => request(kind === 'durable' ? unique('client') : undefined),
    stranger: () => request(undefined, 'stranger'),
    unreachable: () => ({ ...request(undefined), options: { broker: 'down', clientId: undefined } }),
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
    forbidden: { publish: 'forbidden/a', subscribe: 'forbidden/+' },
    configurations: [
      { address: parseAddress('memory:a'), config: {} },
      { address: parseAddress('memory:b'), config: {} },
      { address: parseAddress('memory:a?clientId=me'), config: {} },
      { address: parseAddress('memory:a'), config: { clientId: 'you' } },
    ],
    secrets: [PASSWORD],
    faults: {
      cut: () => broker.cut(),
      reset: () => broker.cut(),
      delay: (ms) => broker.delay(ms),
      kill: () => broker.down(),
      restart: () => {
        broker.restart()
      },
      freeze: (on) => broker.freeze(on),
      failNext: (count) => broker.failNext(count),
    },
    openSockets: () => broker.links,
  }
}
