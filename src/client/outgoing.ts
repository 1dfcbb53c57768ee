import { createJsonPath } from '../kit/json-path.ts'
import type { Adaptor, Message, OutboundMessage } from '../contract/index.ts'
import { BackhaulError } from '../contract/index.ts'

const MAX_ID_LENGTH = 128
/** How many topics that passed the check are remembered. */
const MAX_KNOWN_TOPICS = 1024

/**
 * Checks what an application hands over and makes the message of it, before anything is accepted.
 *
 * @param adaptor - checks the topic's syntax
 * @param nextId - makes ids
 * @param keyPath - where the key of a message without one lies in its payload
 * @returns a function that throws BackhaulError `INVALID_TOPIC`, `INVALID_MESSAGE` or `MESSAGE_TOO_LARGE`
 */
export function outgoing(
  adaptor: Pick<Adaptor, 'checkTopic'>,
  nextId: () => string,
  keyPath?: string,
): (message: OutboundMessage, maxPayloadBytes: number) => Message {
  const knownTopics = new Set<string>()
  const keyOf = keyPath === undefined ? undefined : createJsonPath(keyPath)
  return (message, maxPayloadBytes) => {
    const { topic, key, headers, id } = message
    if (!knownTopics.has(topic)) {
      if (typeof topic !== 'string') throw invalid('its topic is not text')
      adaptor.checkTopic(topic, 'publish')
      if (knownTopics.size >= MAX_KNOWN_TOPICS) knownTopics.clear()
      knownTopics.add(topic)
    }
    const payload = bytesOf(message.payload)
    if (payload.byteLength > maxPayloadBytes) {
      throw new BackhaulError(
        'MESSAGE_TOO_LARGE',
        `Cannot send a message to "${topic}": it has ${payload.byteLength} bytes, the link takes ${maxPayloadBytes}, send less`,
      )
    }
    if (id !== undefined && (typeof id !== 'string' || id.length === 0 || id.length > MAX_ID_LENGTH)) {
      throw invalid(`its id is not text of 1 to ${MAX_ID_LENGTH} characters`)
    }
    if (key !== undefined && typeof key !== 'string') throw invalid('its key is not text')
    if (headers !== undefined) checkHeaders(headers)
    return { id: id ?? nextId(), topic, payload, key: key ?? keyOf?.(payload), headers }
  }
}

function bytesOf(payload: unknown): Uint8Array {
  if (typeof payload === 'string') return Buffer.from(payload, 'utf8')
  if (payload instanceof Uint8Array) return payload
  throw invalid('its payload is neither bytes nor text')
}

function checkHeaders(headers: object): void {
  for (const [name, value] of Object.entries(headers)) {
    if (name === '' || typeof value !== 'string') throw invalid(`the header "${name}" is not a named text`)
  }
}

function invalid(why: string): BackhaulError {
  return new BackhaulError('INVALID_MESSAGE', `Cannot send a message: ${why}`)
}
