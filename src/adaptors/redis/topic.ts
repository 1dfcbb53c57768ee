import { BackhaulError } from '../../contract/index.ts'

/*
 * A topic is the key of a stream. Redis takes any bytes for a key; ours are text of at least one character.
 */

/**
 * Checks the name of a stream.
 *
 * @throws BackhaulError `INVALID_TOPIC`
 */
export function checkStreamName(topic: string): void {
  const problem = problemOf(topic)
  if (problem === undefined) return
  const shown = topic.length > 200 ? `${topic.slice(0, 200)}...` : topic
  throw new BackhaulError('INVALID_TOPIC', `Cannot use the stream ${JSON.stringify(shown)}: ${problem}`)
}

function problemOf(topic: string): string | undefined {
  if (topic === '') return 'it is empty, give it at least one character'
  if (/\p{Surrogate}/u.test(topic)) {
    return 'it is not well-formed Unicode, take out the half of a surrogate pair'
  }
  return undefined
}
