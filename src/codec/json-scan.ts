/**
 * Looks through text that `JSON.parse()` has accepted for what it tolerates and two readers may understand differently.
 * It works in one pass without recursion, so that no depth of nesting can exhaust the stack.
 */

/** What {@link scanJson} objects to. */
export type JsonFault = 'deep' | 'duplicate' | 'prototype'

/**
 * Finds the first of: nesting deeper than `maxDepth`, a name that is given twice in one object, a name `__proto__`.
 *
 * @param text - valid JSON
 */
export function scanJson(text: string, maxDepth: number): JsonFault | undefined {
  /** The names seen in each open object; `undefined` for an open array. */
  const open: (Set<string> | undefined)[] = []
  for (let at = 0; at < text.length; at += 1) {
    const char = text[at]
    if (char === '{' || char === '[') {
      if (open.length === maxDepth) return 'deep'
      open.push(char === '{' ? new Set() : undefined)
    } else if (char === '}' || char === ']') {
      open.pop()
    } else if (char === '"') {
      const end = stringEnd(text, at)
      const names = open.at(-1)
      if (names !== undefined && isName(text, end)) {
        const name: unknown = JSON.parse(text.slice(at, end))
        if (name === '__proto__') return 'prototype'
        if (names.has(String(name))) return 'duplicate'
        names.add(String(name))
      }
      at = end - 1
    }
  }
  return undefined
}

/** The index after the closing quote of the string that begins at `start`. */
function stringEnd(text: string, start: number): number {
  let at = start + 1
  while (at < text.length && text[at] !== '"') at += text[at] === '\\' ? 2 : 1
  return at + 1
}

function isName(text: string, after: number): boolean {
  let at = after
  while (text[at] === ' ' || text[at] === '\t' || text[at] === '\n' || text[at] === '\r') at += 1
  return text[at] === ':'
}
