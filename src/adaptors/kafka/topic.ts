import { BackhaulError } from '../../contract/index.ts'

/*
 * Topics of Kafka: 1 to 249 letters, digits, ".", "_" and "-", and neither "." nor "..". A topic to subscribe to that begins
 * with "^" is a regular expression, as in librdkafka; it is anchored at both ends only where it says so.
 */

const MAX_LENGTH = 249

/**
 * Checks the name of a topic.
 *
 * @throws BackhaulError `INVALID_TOPIC`
 */
export function checkTopicName(topic: string): void {
  const problem = problemOf(topic)
  if (problem !== undefined) {
    throw new BackhaulError('INVALID_TOPIC', `Cannot use the topic "${topic}": ${problem}`)
  }
}

/**
 * Checks a topic or pattern to subscribe to.
 *
 * @throws BackhaulError `INVALID_TOPIC`
 */
export function checkSubscription(topic: string): void {
  if (isPattern(topic)) patternOf(topic)
  else checkTopicName(topic)
}

/** Whether a topic to subscribe to is a pattern. */
export function isPattern(topic: string): boolean {
  return topic.startsWith('^')
}

/**
 * The regular expression of a pattern.
 *
 * @throws BackhaulError `INVALID_TOPIC`
 */
export function patternOf(topic: string): RegExp {
  try {
    return new RegExp(topic, 'u')
  } catch (cause) {
    throw new BackhaulError(
      'INVALID_TOPIC',
      `Cannot subscribe to "${topic}": what begins with "^" is a regular expression, and this is none, mend it`,
      cause,
    )
  }
}

function problemOf(topic: string): string | undefined {
  if (topic === '') return 'it is empty, name a topic'
  if (topic === '.' || topic === '..') return 'it is "." or "..", choose another name'
  if (topic.length > MAX_LENGTH) return `it is longer than ${MAX_LENGTH} characters, choose a shorter name`
  if (/^[a-zA-Z0-9._-]+$/.test(topic)) return undefined
  return 'Kafka allows only letters, digits, ".", "_" and "-", choose another name'
}
