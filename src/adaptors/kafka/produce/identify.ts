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

/** Gets a producer's identity, by which the broker drops repeats; {@link ANONYMOUS} where that is not wanted. */
export async function identify(cluster: Cluster): Promise<ProducerIdentity> {
  const { driver, options, first } = cluster
  if (!options.idempotence) return ANONYMOUS
  for (let tries = 1; ; tries += 1) {
    const answer = await first.request(driver.initProducerIdV4, [null, options.publishTimeoutMs, -1n, -1])
    if (answer.errorCode === 0) return { id: answer.producerId, epoch: answer.producerEpoch }
    const name = errorName(driver, answer.errorCode)
    if (!PASSING.has(name) || tries > 50) {
      const what = `publish as an idempotent producer at ${first.address}`
      throw kafkaError({ name, what, scope: 'link' })
    }
    await cluster.pause(100)
  }
}
