import { BackhaulError } from '../../contract/index.ts'
import { decodeUtf8 } from '../utf8.ts'

/** A command of DeepStream's cloud: to begin or end a recording. */
export interface RecordingCommand {
  /** What to do. A message that names no command begins a recording. */
  readonly command: 'start-recording' | 'stop-recording'
  /** Which sensor, as the message names it. */
  readonly sensorId: string
  /** Where the recording begins, in milliseconds since 1970; `undefined` for the end of one. */
  readonly startMs: number | undefined
  /** Where it ends; `undefined`: at its end command. */
  readonly endMs: number | undefined
}

/**
 * Reads a message of DeepStream's cloud. Times are UTC: what follows their seconds is passed over, as in the original.
 *
 * @throws BackhaulError `COMMAND_INVALID`
 */
export function readRecordingCommand(payload: Uint8Array | string): RecordingCommand {
  const message = parse(payload)
  const command = Object.hasOwn(message, 'command') ? message['command'] : 'start-recording'
  if (command !== 'start-recording' && command !== 'stop-recording') {
    throw invalid('"command" must be "start-recording" or "stop-recording"')
  }
  const sensor = message['sensor']
  const id: unknown = typeof sensor === 'object' && sensor !== null ? Reflect.get(sensor, 'id') : undefined
  if (typeof id !== 'string' || id.trim() === '')
    throw invalid('"sensor.id" must be a text, also where it is a number')
  const sensorId = id.trim()
  if (command === 'stop-recording') return { command, sensorId, startMs: undefined, endMs: undefined }
  const startMs = timeOf(message['start'], 'start')
  if (startMs === undefined) throw invalid('"start" is missing, write it as 2026-01-02T03:04:05')
  return { command, sensorId, startMs, endMs: timeOf(message['end'], 'end') }
}

function parse(payload: Uint8Array | string): Readonly<Record<string, unknown>> {
  const text = typeof payload === 'string' ? payload : decodeUtf8(payload)
  if (text === undefined) throw invalid('it is not UTF-8')
  let data: unknown
  try {
    data = JSON.parse(text)
  } catch (cause) {
    throw invalid('it is not JSON', cause)
  }
  if (typeof data !== 'object' || data === null || Array.isArray(data)) throw invalid('it is no JSON object')
  return { ...data }
}

function timeOf(value: unknown, name: string): number | undefined {
  if (value === undefined) return undefined
  const text = typeof value === 'string' ? /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/.exec(value)?.[0] : undefined
  const time = text === undefined ? Number.NaN : Date.parse(`${text}Z`)
  if (Number.isNaN(time)) throw invalid(`"${name}" is no time, write it as 2026-01-02T03:04:05`)
  return time
}

function invalid(why: string, cause?: unknown): BackhaulError {
  return new BackhaulError('COMMAND_INVALID', `Cannot carry out the recording command: ${why}`, cause)
}
