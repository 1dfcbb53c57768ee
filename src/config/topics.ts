import { nearest } from '../kit/nearest.ts'

/** What a topic of a route may be filled with. */
export const ROUTE_PLACEHOLDERS = ['device', 'input', 'sensorId'] as const
/** What a topic of commands or replies may be filled with. */
export const COMMAND_PLACEHOLDERS = ['device'] as const

/** What is wrong with the placeholders of a topic, in words; `undefined` when nothing is. */
export function placeholderFault(
  topic: string,
  known: readonly string[],
): { readonly text: string; readonly nearest: string | undefined } | undefined {
  for (const [whole, name = ''] of topic.matchAll(/\{([^{}]*)\}/g)) {
    if (known.includes(name)) continue
    const near = nearest(name, known)
    const hint =
      near === undefined
        ? `known are ${known.map((each) => `{${each}}`).join(', ')}`
        : `did you mean "{${near}}"?`
    return { text: `has an unknown placeholder "${whole}", ${hint}`, nearest: near }
  }
  const rest = topic.replaceAll(/\{[^{}]*\}/g, '')
  return /[{}]/.test(rest)
    ? { text: 'has a single brace, write a placeholder as {sensorId}', nearest: undefined }
    : undefined
}

/** The topic with a plain word in place of what only a message tells, to check its syntax by. */
export function sampleTopic(topic: string, deviceId: string): string {
  return topic.replaceAll('{device}', deviceId).replaceAll(/\{[^{}]*\}/g, 'x')
}
