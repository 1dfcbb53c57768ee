import type { Message } from '../../../contract/index.ts'
import { BackhaulError } from '../../../contract/index.ts'
import { checkTopicName } from '../topic.ts'

/** Why a message is refused before it is sent; `undefined` where it may go. */
export function problemOf(message: Message, maxMessageBytes: number): BackhaulError | undefined {
  try {
    checkTopicName(message.topic)
  } catch (error) {
    if (!(error instanceof BackhaulError)) throw error
    return new BackhaulError(error.code, error.message, undefined, { scope: 'topic' })
  }
  if (message.payload.length <= maxMessageBytes) return undefined
  return new BackhaulError(
    'MESSAGE_TOO_LARGE',
    `Cannot publish to "${message.topic}": the message has ${message.payload.length} bytes and may have ${maxMessageBytes}, send less or raise maxMessageBytes`,
    undefined,
    { scope: 'message' },
  )
}
