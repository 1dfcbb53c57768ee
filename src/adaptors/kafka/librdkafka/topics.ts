import { BackhaulError } from '../../../contract/index.ts'
import { isPattern, patternOf } from '../topic.ts'
import type { NativeEngine } from './engine.ts'
import { nativeErrorName, nativeRefusal } from './native-errors.ts'

/** A topic that a subscription reads. */
export interface FoundTopic {
  /** Its name. */
  readonly name: string
  /** How many partitions it has. */
  readonly partitions: number
}

/** What a subscription's topics come to at one moment. */
export interface FoundTopics {
  /** Those that are there, by name. */
  readonly topics: readonly FoundTopic[]
  /** Whether one that was named is not there (yet). */
  readonly incomplete: boolean
}

const INTERNAL = /^__/
const SOON_MS = 1000

/**
 * Looks up the topics of a subscription: those named, and those that its patterns match.
 *
 * @param known - what holds on where the broker does not answer in time; whether it is hung is found out elsewhere
 * @throws BackhaulError `NOT_AUTHORIZED`, `INVALID_TOPIC`, `TIMEOUT`
 */
export async function findTopics(
  engine: NativeEngine,
  wanted: readonly string[],
  known?: FoundTopics,
): Promise<FoundTopics> {
  try {
    return await lookUp(engine, wanted)
  } catch (error) {
    if (known !== undefined && error instanceof BackhaulError && error.code === 'TIMEOUT') return known
    throw error
  }
}

async function lookUp(engine: NativeEngine, wanted: readonly string[]): Promise<FoundTopics> {
  const patterns = wanted.filter(isPattern).map(patternOf)
  const names = [...new Set(wanted.filter((topic) => !isPattern(topic)))]
  const found = new Map<string, FoundTopic>()
  let incomplete = false
  for (const { name, code, partitions } of names.length === 0 ? [] : await engine.describe(names)) {
    const word = nativeErrorName(code)
    if (word === 'NONE') found.set(name, { name, partitions })
    else if (word === 'UNKNOWN_TOPIC_OR_PARTITION' || word === 'LEADER_NOT_AVAILABLE') incomplete = true
    else throw nativeRefusal({ code, message: word }, `subscribe to "${name}"`, 'topic')
  }
  for (const topic of patterns.length === 0 ? [] : await engine.allTopics()) {
    if (topic.partitions === 0 || INTERNAL.test(topic.name)) continue
    if (patterns.some((pattern) => pattern.test(topic.name))) found.set(topic.name, topic)
  }
  const topics = [...found.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1))
  return { topics, incomplete }
}

/** How long until topics are looked up again: soon while one is missing. */
export function untilNextLook({ options }: NativeEngine, { incomplete }: FoundTopics): number {
  return incomplete ? Math.min(options.metadataRefreshMs, SOON_MS) : options.metadataRefreshMs
}
