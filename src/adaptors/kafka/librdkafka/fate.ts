import { LOCAL, nativeErrorName } from './native-errors.ts'
import { verdictOf } from '../produce/verdict.ts'

/*
 * What a delivery report with an error means for its message. librdkafka has already tried again what may pass by itself, so "again" is
 * left only for what had no part in the matter.
 */

/** See the top of this file. */
export type Fate = 'split' | 'message' | 'topic' | 'again' | 'fail' | 'link' | 'end'

const OWN: Readonly<Record<number, Fate>> = {
  [LOCAL.otherRecord]: 'again',
  [LOCAL.purgedQueue]: 'again',
  [LOCAL.purgedInFlight]: 'again',
  [LOCAL.fatal]: 'again',
  [LOCAL.unknownTopic]: 'topic',
  [LOCAL.unknownPartition]: 'topic',
}

/** Verdicts that mean something else here: librdkafka has tried again itself, and does not tell a culprit from what shared its batch. */
const FATES = { culprits: 'split', delivered: 'end', again: 'fail' } as const

/** What an error means, by librdkafka's number for it. */
export function fateOf(code: number): Fate {
  const own = OWN[code]
  if (own !== undefined) return own
  const name = nativeErrorName(code)
  // it was asked for until topic.metadata.propagation.max.ms was over
  if (name === 'UNKNOWN_TOPIC_OR_PARTITION') return 'topic'
  const verdict = verdictOf(name)
  if (verdict === 'culprits' || verdict === 'delivered' || verdict === 'again') return FATES[verdict]
  return verdict
}
