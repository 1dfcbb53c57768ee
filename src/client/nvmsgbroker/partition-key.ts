import { readProtobufSensorId } from '../../codec/index.ts'
import { createJsonPath } from '../../kit/json-path.ts'

const OPEN_BRACE = 0x7b

/**
 * Makes a function that finds the key of a message as the Kafka adaptor of DeepStream is meant to: the text at a dotted path of a
 * JSON object, the sensor's id of a protobuf frame, otherwise none.
 *
 * @param path - `undefined` for the protocols that have no key
 */
export function createPartitionKey(path: string | undefined): (payload: Uint8Array) => string | undefined {
  if (path === undefined) return () => undefined
  const find = createJsonPath(path)
  return (payload) => (payload[0] === OPEN_BRACE ? find(payload) : readProtobufSensorId(payload))
}
