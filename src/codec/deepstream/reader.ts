import type { DetectionEvent } from '../../contract/index.ts'
import { readDetection } from '../detection.ts'
import { decodeUtf8 } from '../utf8.ts'
import { readFull } from './full-reader.ts'
import { readMinimal } from './minimal-reader.ts'

/**
 * Reads one line that a DeepStream pipeline sent or that was recorded: a message of the full or the minimal schema, or a
 * detection in our own form.
 *
 * @throws BackhaulError `INVALID_MESSAGE` when it is none of them.
 */
export function readDeepStream(line: Uint8Array | string): DetectionEvent {
  const text = typeof line === 'string' ? line : decodeUtf8(line)
  if (text === undefined) return readDetection(line)
  // both schemas begin with a name that the others do not have
  if (/^\s*\{\s*"messageid"/.test(text)) return readFull(text).event
  if (/^\s*\{\s*"version"/.test(text)) return readMinimal(text)
  return readDetection(text)
}
