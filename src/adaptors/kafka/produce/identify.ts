import { BackhaulError } from '../../../contract/index.ts'
import type { Cluster } from '../session/cluster.ts'
import { errorName } from '../session/driver.ts'
import { kafkaError } from '../errors.ts'
import type { ProducerIdentity } from './record-batch.ts'
import { ANONYMOUS } from './record-batch.ts'

const PASSING: ReadonlySet<string> = new Set([
  'COORDINATOR_LOAD_IN_PROGRESS',
  'COORDINATOR_NOT_AVAILABLE',
  'NOT_COORDINATOR',
  'CONCURRENT_TRANSACTIONS',
])

/**
 * Gets a producer's identity, by which the broker drops repeats; {@link ANONYMOUS} where that is not wanted.
 *
 * @throws BackhaulError `NOT_AUTHORIZED` with the scope "topic" for a client that may write to none (KIP-679).
 */
export async function identify(cluster: Cluster): Promise<ProducerIdentity> {
  const { driver, options, first } = cluster
  if (!options.idempotence) return ANONYMOUS
  for (let tries = 1; ; tries += 1) {
    const answer = await first.request(driver.initProducerIdV4, [null, options.publishTimeoutMs, -1n, -1])
    if (answer.errorCode === 0) return { id: answer.producerId, epoch: answer.producerEpoch }
    const name = errorName(driver, answer.errorCode)
    if (name === 'CLUSTER_AUTHORIZATION_FAILED') throw mayWriteNowhere(first.address, name)
    if (!PASSING.has(name) || tries > 50) {
      const what = `publish as an idempotent producer at ${first.address}`
      throw kafkaError({ name, what, scope: 'link' })
    }
    await cluster.pause(100)
  }
}

/** Refuses what an identity publishes that may write to no topic. */
export function mayWriteNowhere(address: string, name: string): BackhaulError {
  return new BackhaulError(
    'NOT_AUTHORIZED',
    `Cannot publish at ${address}: this identity has no right to write to any topic, allow Write on the topic in the access list of the broker`,
    undefined,
    { scope: 'topic', brokerReason: name },
  )
}
