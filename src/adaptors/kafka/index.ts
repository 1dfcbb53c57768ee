import type { Adaptor, DialRequest, Link } from '../../contract/index.ts'
import { BackhaulError } from '../../contract/index.ts'
import { systemClock } from '../../kit/system-clock.ts'
import { checkTlsAgrees } from '../shared/tls-agreement.ts'
import type { MakeEngine } from './link.ts'
import { KAFKA_CAPABILITIES, openLink } from './link.ts'
import type { ClusterSetup } from './session/cluster.ts'
import type { KafkaOptions } from './options.ts'
import { KAFKA_SCHEMES, kafkaSignature, readKafkaOptions, unfoldKafkaOptions } from './options.ts'
import { checkSubscription, checkTopicName } from './topic.ts'

export type { KafkaOptions, KafkaScheme } from './options.ts'
export { KAFKA_SCHEMES, kafkaOptionsSchema } from './options.ts'

/** Apache Kafka 3.0 and later. See README.md beside this file. */
export const kafka: Adaptor<KafkaOptions> = {
  protocol: 'kafka',
  schemes: { kafka: 'plaintext', kafkas: 'tls' },
  capabilities: KAFKA_CAPABILITIES,
  options: readKafkaOptions,
  unfold: unfoldKafkaOptions,
  notes: ({ notes }) => notes,
  signature: kafkaSignature,
  checkTopic(topic, use) {
    if (use === 'publish') checkTopicName(topic)
    else checkSubscription(topic)
  },
  dial,
}

async function dial(request: DialRequest<KafkaOptions>, signal: AbortSignal): Promise<Link> {
  const { options, tls, auth } = request
  const { secure } = KAFKA_SCHEMES[options.scheme]
  checkTlsAgrees(options.scheme, secure, tls, 'kafkas')
  const aborted = () =>
    new BackhaulError('ABORTED', 'Cannot dial: the caller gave up, call again', signal.reason)
  if (signal.aborted) throw aborted()
  const { loadDriver } = await import('./session/driver.ts')
  const driver = await loadDriver()
  const isNative = options.driver === 'librdkafka'
  if (!isNative && !driver.compressionsAlgorithms[options.compression].available) {
    throw new BackhaulError(
      'INVALID_OPTIONS',
      `Cannot compress with ${options.compression}: this version of Node.js does not have it, use 22.15 or later, or lz4`,
    )
  }
  const timeout = AbortSignal.timeout(options.connectTimeoutMs)
  try {
    const makeEngine = await engineFor({ driver, options, tls, auth, clock: systemClock })
    return await openLink(makeEngine, AbortSignal.any([signal, timeout]))
  } catch (error) {
    if (signal.aborted) throw aborted()
    if (timeout.aborted && error instanceof BackhaulError && error.code === 'ABORTED') {
      const { host = '', port = 0 } = options.hosts[0] ?? {}
      throw new BackhaulError(
        'TIMEOUT',
        `Cannot connect to ${host}:${port}: it did not answer within ${options.connectTimeoutMs} ms, check the network and the broker`,
        error,
      )
    }
    throw error
  }
}

/** Loads the engine of the driver that was chosen, so that nobody pays for what they do not use. */
async function engineFor(setup: ClusterSetup): Promise<MakeEngine> {
  if (setup.options.driver === 'librdkafka') {
    const [{ loadBinding }, { NativeEngine }] = await Promise.all([
      import('./librdkafka/binding.ts'),
      import('./librdkafka/engine.ts'),
    ])
    const binding = loadBinding()
    return (onLost) => new NativeEngine(setup, binding, onLost)
  }
  const { SessionEngine } = await import('./session/engine.ts')
  return (onLost) => new SessionEngine(setup, onLost)
}
