import type { Adaptor, Address, Link } from '../../contract/index.ts'
import { BackhaulError } from '../../contract/index.ts'
import { readOptions } from '../../kit/options.ts'
import { checkTopicFilter, checkTopicName, hasWildcard, splitSharedFilter } from '../shared/topic-filter.ts'
import { createMemoryBroker, MEMORY_CAPABILITIES } from './broker.ts'
import type { MemoryBroker } from './broker.ts'
import type { MemoryOptions } from './options.ts'
import { memoryOptionsSchema } from './options.ts'

export type { MemoryBroker, MemoryBrokerSettings, MemoryRefusal } from './broker.ts'
export { createMemoryBroker } from './broker.ts'
export type { MemoryOptions } from './options.ts'

/**
 * The adaptor of one broker value: every `memory:` address leads to it, whatever its name.
 * Two adaptors of two brokers share nothing.
 */
export function memoryAdaptor(broker: MemoryBroker): Adaptor<MemoryOptions> {
  return adaptorOf(broker.capabilities, () => broker)
}

/**
 * The adaptor behind `connect('memory:name')`: the brokers of this process by name, each made when it is first dialled.
 * Two parts of one process that know nothing but a name can meet only in a place that both reach, so this is
 * the one value here that outlives its users. A test takes a broker of its own and {@link memoryAdaptor}.
 */
export const memory: Adaptor<MemoryOptions> = adaptorOf(MEMORY_CAPABILITIES, brokersByName())

function brokersByName(): (name: string) => MemoryBroker {
  const brokers = new Map<string, MemoryBroker>()
  return (name) => {
    const known = brokers.get(name)
    if (known !== undefined) return known
    const made = createMemoryBroker({ name })
    brokers.set(name, made)
    return made
  }
}

function adaptorOf(
  capabilities: MemoryBroker['capabilities'],
  find: (name: string) => MemoryBroker,
): Adaptor<MemoryOptions> {
  return {
    protocol: 'memory',
    schemes: { memory: 'process' },
    capabilities,
    options: optionsOf,
    signature: ({ broker, clientId }) => JSON.stringify([broker, clientId ?? null]),
    checkTopic(topic, use) {
      if (use === 'publish') checkTopicName(topic)
      else checkFilter(topic, capabilities.patterns)
    },
    dial: (request, signal): Promise<Link> => find(request.options.broker).dial(request, signal),
  }
}

function optionsOf(address: Address, config: Readonly<Record<string, unknown>>): MemoryOptions {
  if (address.scheme !== 'memory' || address.hosts.length > 0 || address.path === '') {
    throw new BackhaulError(
      'INVALID_ADDRESS',
      `Cannot use the address "${address.display}": a broker in memory has a name and no host, write memory:name`,
    )
  }
  const { clientId } = readOptions(
    memoryOptionsSchema,
    { ...address.query, ...config },
    `the options of "${address.display}"`,
  )
  return { broker: address.path, clientId }
}

function checkFilter(topic: string, patterns: boolean): void {
  checkTopicFilter(topic)
  if (splitSharedFilter(topic).group !== undefined) {
    throw new BackhaulError(
      'INVALID_TOPIC',
      `Cannot subscribe to "${topic}": a group is named in the options of the subscription, name only the topic`,
    )
  }
  if (!patterns && hasWildcard(topic)) {
    throw new BackhaulError(
      'INVALID_TOPIC',
      `Cannot subscribe to "${topic}": this broker knows no patterns, name each topic`,
    )
  }
}
