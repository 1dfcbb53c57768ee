import type { Cluster, Topic } from '../session/cluster.ts'
import { kafkaError } from '../errors.ts'
import { isPattern, patternOf } from '../topic.ts'

/** What a subscription's topics come to at one moment. */
export interface SubscribedTopics {
  /** Those that are there. */
  readonly topics: readonly Topic[]
  /** Whether one that was named is not there (yet). */
  readonly incomplete: boolean
}

/** Topics of Kafka's own, which no pattern matches. */
const INTERNAL = /^__/

/**
 * Looks up the topics of a subscription: those named, and those that its patterns match.
 *
 * @throws BackhaulError `NOT_AUTHORIZED`, `INVALID_TOPIC`
 */
export async function lookUpTopics(cluster: Cluster, wanted: readonly string[]): Promise<SubscribedTopics> {
  const patterns = wanted.filter(isPattern).map(patternOf)
  const names = wanted.filter((topic) => !isPattern(topic))
  const found = new Map<string, Topic>()
  let incomplete = false
  if (names.length > 0) {
    for (const topic of await cluster.topics([...new Set(names)], false)) {
      if (topic.error === undefined) found.set(topic.name, topic)
      else if (topic.error === 'UNKNOWN_TOPIC_OR_PARTITION' || topic.error === 'LEADER_NOT_AVAILABLE') {
        incomplete = true
      } else {
        throw kafkaError({ name: topic.error, what: `subscribe to "${topic.name}"`, scope: 'topic' })
      }
    }
  }
  if (patterns.length > 0) {
    for (const topic of await cluster.topics(null, false)) {
      if (topic.error !== undefined || INTERNAL.test(topic.name)) continue
      if (patterns.some((pattern) => pattern.test(topic.name))) found.set(topic.name, topic)
    }
  }
  const topics = [...found.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1))
  return { topics, incomplete }
}

/** Text that is equal for equal topics with equal partitions, whoever leads them. */
export function shapeOf({ topics }: SubscribedTopics): string {
  return topics.map(({ name, partitions }) => `${name}:${partitions.length}`).join(' ')
}

/** How long until topics are looked up again: soon while one is missing. */
export function refreshMs(cluster: Cluster, { incomplete }: SubscribedTopics): number {
  const { metadataRefreshMs } = cluster.options
  return incomplete ? Math.min(metadataRefreshMs, 1000) : metadataRefreshMs
}
