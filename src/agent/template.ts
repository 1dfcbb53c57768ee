import type { InputRecord } from '../codec/index.ts'
import { BackhaulError } from '../contract/index.ts'

/** The placeholders that are the same for all messages of an input. */
export interface FixedPlaceholders {
  /** `{device}` */
  readonly device: string
  /** `{input}` */
  readonly input: string
}

/**
 * Makes a function of a topic such as `cameras/{sensorId}/detections`. What takes a placeholder's place must be
 * one level: data cannot choose another branch of the topic tree.
 *
 * The function throws BackhaulError `INVALID_TOPIC` when a value is missing or is not one level.
 */
export function compileTopic(template: string, fixed: FixedPlaceholders): (record: InputRecord) => string {
  const filled = template
    .replaceAll('{device}', () => level('device', fixed.device))
    .replaceAll('{input}', () => level('input', fixed.input))
  const parts = filled.split('{sensorId}')
  if (parts.length === 1) return () => filled
  // sensors are few and come again: a topic is built once for each of the last ones
  const topics = new Map<string, string>()
  return (record) => {
    const sensorId = record.detection?.sensorId
    const known = sensorId === undefined ? undefined : topics.get(sensorId)
    if (known !== undefined) return known
    const topic = parts.join(level('sensorId', sensorId))
    if (topics.size >= 1000) topics.clear()
    if (sensorId !== undefined) topics.set(sensorId, topic)
    return topic
  }
}

function level(name: string, value: string | undefined): string {
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  if (value !== undefined && value !== '' && !/[/+#\u0000-\u001f\u007f]/.test(value)) return value
  const state = value === undefined ? 'there is none' : `${JSON.stringify(value)} is not one level of a topic`
  throw new BackhaulError(
    'INVALID_TOPIC',
    `Cannot put {${name}} into a topic: ${state}, it may not be empty or hold "/", "+", "#" or control characters`,
  )
}
