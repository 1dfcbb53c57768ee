import { BackhaulError } from '../../contract/index.ts'

/*
 * A topic of AMQP is a routing key: words with "." between them, at most 255 bytes. A topic exchange lets one subscribe to patterns:
 * "*" stands for exactly one word, "#" for any number of them, none too.
 */

const MAX_BYTES = 255

/**
 * Checks a topic to publish to.
 *
 * @throws BackhaulError `INVALID_TOPIC`
 */
export function checkTopicName(topic: string): void {
  const problem =
    problemOf(topic) ??
    (hasWildcard(topic) ? 'the words "*" and "#" are for subscriptions only, name one topic' : undefined)
  if (problem !== undefined) throw invalid('publish to', topic, problem)
}

/**
 * Checks a topic or pattern to subscribe to.
 *
 * @throws BackhaulError `INVALID_TOPIC`
 */
export function checkSubscription(topic: string): void {
  const problem = problemOf(topic)
  if (problem !== undefined) throw invalid('subscribe to', topic, problem)
}

/** Whether a topic to subscribe to stands for more than one. */
export function hasWildcard(topic: string): boolean {
  if (!topic.includes('*') && !topic.includes('#')) return false
  return topic.split('.').some((word) => word === '*' || word === '#')
}

function problemOf(topic: string): string | undefined {
  if (topic === '') return 'it is empty, give it at least one character'
  if (topic.includes('\0')) return 'it holds the character U+0000, take it out'
  if (/\p{Surrogate}/u.test(topic)) return 'it holds half of a surrogate pair, take it out'
  if (topic.length > MAX_BYTES / 3 && Buffer.byteLength(topic) > MAX_BYTES) {
    return `it is longer than ${MAX_BYTES} bytes in UTF-8, shorten it`
  }
  return undefined
}

function invalid(what: string, topic: string, problem: string): BackhaulError {
  const shown = topic.length > 200 ? `${topic.slice(0, 200)}...` : topic
  return new BackhaulError('INVALID_TOPIC', `Cannot ${what} ${JSON.stringify(shown)}: ${problem}`)
}
