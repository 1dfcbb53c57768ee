import type { DetectionEvent } from '../../contract/index.ts'
import type { Payload } from './converter.ts'

/**
 * Makes a function that finds the key of a message in it, as the Kafka adaptor of DeepStream is meant to (`partition-key`):
 * the text at a dotted path of a JSON payload; the sensor's id of a protobuf payload; otherwise none.
 */
export function createPartitionKey(
  path: string,
): (payload: Payload, event: DetectionEvent) => string | undefined {
  const names = path.split('.')
  return (payload, event) => {
    if (typeof payload !== 'string') return event.sensorId === '' ? undefined : event.sensorId
    let value: unknown = JSON.parse(payload)
    for (const name of names) {
      if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined
      value = Reflect.get(value, name)
    }
    return typeof value === 'string' ? value : undefined
  }
}
