import { BackhaulError } from '../../contract/index.ts'

/*
 * Topic names and filters by the rules of MQTT (version 5, section 4.7): levels are separated by "/", "+" stands for
 * exactly one level, "#" as the last level for the rest (the parent level included), and a wildcard at the very start
 * never matches a topic that begins with "$".
 */

const MAX_BYTES = 65_535
const SHARED = '$share/'

/**
 * Whether a topic name matches a filter. Both must be valid; a `$share/group/` prefix is to be taken off before
 * ({@link splitSharedFilter}).
 */
export function matchesFilter(filter: string, topic: string): boolean {
  if (filter === topic) return true
  if (topic.startsWith('$') && (filter.startsWith('+') || filter.startsWith('#'))) return false
  let at = 0
  let level = 0
  for (;;) {
    if (filter[level] === '#') return true
    const filterEnd = endOfLevel(filter, level)
    const topicEnd = endOfLevel(topic, at)
    if (filter[level] !== '+' && !sameLevel(filter, level, filterEnd, topic, at, topicEnd)) return false
    if (topicEnd === topic.length) {
      // "a/#" matches "a" too
      return filterEnd === filter.length || filter.slice(filterEnd) === '/#'
    }
    if (filterEnd === filter.length) return false
    level = filterEnd + 1
    at = topicEnd + 1
  }
}

/** Whether a filter stands for more than one topic. */
export function hasWildcard(filter: string): boolean {
  return filter.includes('+') || filter.includes('#')
}

/** Takes `$share/group/filter` apart; a plain filter has no group. */
export function splitSharedFilter(filter: string): {
  readonly group: string | undefined
  readonly filter: string
} {
  if (!filter.startsWith(SHARED)) return { group: undefined, filter }
  const end = filter.indexOf('/', SHARED.length)
  if (end < 0) return { group: filter.slice(SHARED.length), filter: '' }
  return { group: filter.slice(SHARED.length, end), filter: filter.slice(end + 1) }
}

/**
 * Checks a name to publish to.
 *
 * @throws BackhaulError `INVALID_TOPIC`
 */
export function checkTopicName(topic: string): void {
  const problem =
    problemOfText(topic) ??
    (hasWildcard(topic) ? 'the wildcards "+" and "#" are for subscriptions only, name one topic' : undefined)
  if (problem !== undefined) throw invalid('publish to', topic, problem)
}

/**
 * Checks a filter to subscribe to, `$share/group/filter` included.
 *
 * @throws BackhaulError `INVALID_TOPIC`
 */
export function checkTopicFilter(topic: string): void {
  const problem = problemOfText(topic) ?? problemOfShare(topic) ?? problemOfWildcards(topic)
  if (problem !== undefined) throw invalid('subscribe to', topic, problem)
}

function problemOfText(topic: string): string | undefined {
  if (topic === '') return 'it is empty, give it at least one character'
  if (topic.includes('\0')) return 'it holds the character U+0000, take it out'
  if (/\p{Surrogate}/u.test(topic))
    return 'it is not well-formed Unicode, take out the half of a surrogate pair'
  if (topic.length > MAX_BYTES / 3 && Buffer.byteLength(topic) > MAX_BYTES) {
    return `it is longer than ${MAX_BYTES} bytes in UTF-8, shorten it`
  }
  return undefined
}

function problemOfShare(topic: string): string | undefined {
  if (topic !== '$share' && !topic.startsWith(SHARED)) return undefined
  const { group, filter } = splitSharedFilter(topic)
  if (group === undefined || group === '' || filter === '' || hasWildcard(group)) {
    return 'a shared subscription is written $share/group/filter, with a group name without wildcards'
  }
  return undefined
}

function problemOfWildcards(topic: string): string | undefined {
  const levels = topic.split('/')
  for (const [index, level] of levels.entries()) {
    if (level.includes('#') && (level !== '#' || index !== levels.length - 1)) {
      return 'the wildcard "#" must be the whole last level, for example cameras/#'
    }
    if (level.includes('+') && level !== '+') {
      return 'the wildcard "+" must be a whole level, for example cameras/+/events'
    }
  }
  return undefined
}

function invalid(what: string, topic: string, problem: string): BackhaulError {
  const shown = topic.length > 200 ? `${topic.slice(0, 200)}...` : topic
  return new BackhaulError('INVALID_TOPIC', `Cannot ${what} ${JSON.stringify(shown)}: ${problem}`)
}

function endOfLevel(text: string, from: number): number {
  const end = text.indexOf('/', from)
  return end < 0 ? text.length : end
}

function sameLevel(a: string, aFrom: number, aEnd: number, b: string, bFrom: number, bEnd: number): boolean {
  return aEnd - aFrom === bEnd - bFrom && a.startsWith(b.slice(bFrom, bEnd), aFrom)
}
