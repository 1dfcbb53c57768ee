import type { Cluster, Topic } from '../session/cluster.ts'
import { errorName } from '../session/driver.ts'
import { kafkaError } from '../errors.ts'

/** A partition by its topic and number. */
export interface Place {
  /** The topic's name. */
  readonly topic: string
  /** The partition's number. */
  readonly index: number
}

/** Text that names a partition. */
export function placeName({ topic, index }: Place): string {
  return `${topic}:${index}`
}

const TIMES = { latest: -1n, earliest: -2n } as const
const TRIES = 50
const AGAIN_MS = 100

/** Errors of a partition that is changing hands: it is looked up again. */
export const STALE: ReadonlySet<string> = new Set([
  'UNKNOWN_TOPIC_OR_PARTITION',
  'LEADER_NOT_AVAILABLE',
  'NOT_LEADER_OR_FOLLOWER',
  'FENCED_LEADER_EPOCH',
  'UNKNOWN_LEADER_EPOCH',
  'REPLICA_NOT_AVAILABLE',
  'OFFSET_NOT_AVAILABLE',
  'KAFKA_STORAGE_ERROR',
])

/** Finds the first or the next offset of partitions, by their names. A partition that changes hands is waited for. */
export async function listOffsets(
  cluster: Cluster,
  places: readonly Place[],
  where: 'latest' | 'earliest',
): Promise<Map<string, number>> {
  const found = new Map<string, number>()
  let left = places
  for (let tries = 1; left.length > 0; tries += 1) {
    const topics = await cluster.topics([...new Set(left.map(({ topic }) => topic))], false)
    for (const [leader, led] of byLeader(left, topics)) await ask(cluster, leader, led, where, found)
    left = left.filter((place) => !found.has(placeName(place)))
    if (left.length === 0) break
    if (tries >= TRIES) {
      throw kafkaError({ name: 'LEADER_NOT_AVAILABLE', what: `read "${left[0]?.topic ?? ''}"` })
    }
    await cluster.pause(AGAIN_MS)
  }
  return found
}

async function ask(
  cluster: Cluster,
  leader: number,
  places: readonly Place[],
  where: 'latest' | 'earliest',
  found: Map<string, number>,
): Promise<void> {
  const { driver, options } = cluster
  const connection = await cluster.connection(leader)
  const isolation = options.isolation === 'read_committed' ? 1 : 0
  const topics = [...groupByTopic(places)].map(([name, list]) => ({
    name,
    partitions: list.map(({ index }) => ({
      partitionIndex: index,
      currentLeaderEpoch: -1,
      timestamp: TIMES[where],
    })),
  }))
  const answer = await connection.request(driver.listOffsetsV6, [-1, isolation, topics])
  for (const { name, partitions } of answer.topics) {
    for (const { partitionIndex, errorCode, offset } of partitions) {
      if (errorCode === 0) found.set(placeName({ topic: name, index: partitionIndex }), Number(offset))
      else if (!STALE.has(errorName(driver, errorCode))) {
        throw kafkaError({ name: errorName(driver, errorCode), what: `read "${name}"`, scope: 'topic' })
      }
    }
  }
}

/** Partitions by the broker that leads them; those without one are left out. */
function byLeader(places: readonly Place[], topics: readonly Topic[]): Map<number, Place[]> {
  const leaders = new Map<number, Place[]>()
  for (const place of places) {
    const topic = topics.find(({ name }) => name === place.topic)
    const leader = topic?.partitions.find(({ index }) => index === place.index)?.leader ?? -1
    if (leader < 0) continue
    const list = leaders.get(leader)
    if (list === undefined) leaders.set(leader, [place])
    else list.push(place)
  }
  return leaders
}

/** Partitions by their topic. */
export function groupByTopic<P extends Place>(places: Iterable<P>): Map<string, P[]> {
  const topics = new Map<string, P[]>()
  for (const place of places) {
    const list = topics.get(place.topic)
    if (list === undefined) topics.set(place.topic, [place])
    else list.push(place)
  }
  return topics
}
