/** What one identity may do at the embedded broker. Filters are MQTT's, with `+` and `#`. */
export interface TopicRule {
  /** The common name of the client certificate, or the user's name where there is no certificate. */
  readonly identity: string
  /** What it may publish to. */
  readonly publish: readonly string[]
  /** What it may subscribe to; a filter that it asks for must lie wholly within one of these. */
  readonly subscribe: readonly string[]
}

/**
 * True when everything that `filter` can match is matched by `rule`. A topic name is a filter that matches only itself.
 *
 * A rule that begins with a wildcard does not reach topics that begin with `$` (MQTT 5, 4.7.2).
 */
export function covers(rule: string, filter: string): boolean {
  if (filter.startsWith('$') && (rule.startsWith('+') || rule.startsWith('#'))) return false
  const asked = filter.split('/')
  const levels = rule.split('/')
  for (const [index, level] of levels.entries()) {
    if (level === '#') return true
    const other = asked[index]
    if (other === undefined || other === '#') return false
    if (level !== '+' && level !== other) return false
  }
  return asked.length === levels.length
}

/** True when a rule lets `identity` do this. Without rules everybody may do everything but use `$` topics. */
export function permits(
  rules: readonly TopicRule[] | undefined,
  identity: string,
  use: 'publish' | 'subscribe',
  filter: string,
): boolean {
  if (rules === undefined) return use === 'subscribe' || !filter.startsWith('$')
  return rules.some(
    (rule) => rule.identity === identity && rule[use].some((allowed) => covers(allowed, filter)),
  )
}
