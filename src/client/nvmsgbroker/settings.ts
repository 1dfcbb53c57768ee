import { readFileSync } from 'node:fs'

import { BackhaulError } from '../../contract/index.ts'
import { readBroker } from '../../kit/deepstream/broker.ts'
import type { BrokerTarget } from '../../kit/deepstream/broker-reader.ts'
import { withValues } from '../../kit/deepstream/broker-reader.ts'
import type { Library } from '../../kit/deepstream/library.ts'
import type { KeyEntry, KeyFile, Reading } from '../../kit/key-file.ts'
import { booleanOf, integerOf, parseKeyFile } from '../../kit/key-file.ts'

/** The file that the original reads when it is loaded. */
export const SETTINGS_FILE = '/opt/nvidia/deepstream/deepstream/sources/libs/nvmsgbroker/cfg_nvmsgbroker.txt'

/** What `[nvmsgbroker]` says. */
export interface BrokerSettings {
  /** Whether a lost connection is made again. */
  readonly autoReconnect: boolean
  /** The pause between two tries in seconds. */
  readonly retryIntervalSeconds: number
  /** After so many seconds of pauses the callbacks are told that it is given up. */
  readonly maxRetryLimitSeconds: number
}

const DEFAULTS: BrokerSettings = { autoReconnect: true, retryIntervalSeconds: 2, maxRetryLimitSeconds: 360 }

/**
 * Reads `cfg_nvmsgbroker.txt`. A file that is not there, and a key that is not in it, leave the defaults. (In the original
 * a key that is missing in a file is zero, and a missing group ends the process.)
 *
 * @param onMissing - called where the file cannot be read
 */
export function readBrokerSettings(path: string, onMissing: () => void): BrokerSettings {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch {
    onMissing()
    return DEFAULTS
  }
  const entries = parseKeyFile(text).groups.get('nvmsgbroker')?.entries
  const value = <T>(key: string, read: (entry: KeyEntry) => Reading<T>, otherwise: T): T => {
    const entry = entries?.get(key)
    const reading = entry && read(entry)
    return reading !== undefined && 'value' in reading ? reading.value : otherwise
  }
  return {
    autoReconnect: value('auto-reconnect', booleanOf, DEFAULTS.autoReconnect),
    retryIntervalSeconds: value('retry-interval', integerOf, DEFAULTS.retryIntervalSeconds),
    maxRetryLimitSeconds: value('max-retry-limit', integerOf, DEFAULTS.maxRetryLimitSeconds),
  }
}

/** How many failed dials it takes until the pauses have exceeded the limit; `undefined`: however many. */
export function dialsUntilLimit({
  retryIntervalSeconds,
  maxRetryLimitSeconds,
}: BrokerSettings): number | undefined {
  // the original compares without a sign, so that a negative limit is none
  if (retryIntervalSeconds <= 0 || maxRetryLimitSeconds < 0) return undefined
  return Math.min(Math.floor(maxRetryLimitSeconds / retryIntervalSeconds) + 1, 1_000_000)
}

/** A connection of the library, read. */
export interface ReadConnection {
  /** The adaptor library. */
  readonly library: Library
  /** Address and options, with their values. */
  readonly target: BrokerTarget
  /** The address. */
  readonly url: string
}

/**
 * Reads what a caller connects with.
 *
 * @throws BackhaulError `INVALID_OPTIONS` with everything that is wrong; `FILE_UNREADABLE`.
 */
export function readConnection(
  connection: string | undefined,
  library: string,
  config: string | undefined,
  env: Readonly<Record<string, string | undefined>>,
): ReadConnection {
  const file = config === undefined || config === '' ? undefined : readConfig(config)
  const group = file?.groups.get('message-broker')
  if (config !== undefined && file !== undefined && (file.faults.length > 0 || group === undefined)) {
    const [fault] = file.faults
    const why = fault === undefined ? 'it has no group [message-broker]' : `line ${fault.line}: ${fault.text}`
    throw new BackhaulError('INVALID_OPTIONS', `Cannot use "${config}": ${why}`)
  }
  const given = connection === '' ? undefined : connection
  const result = readBroker({ library, connection: given, group, env, folder: '.' })
  const errors = result.problems.filter(({ severity }) => severity === 'error')
  const { url } = result.target
  if (errors.length > 0 || url === undefined || result.library === undefined) {
    const words = errors.map(({ part, entry, text }) => `the ${entry?.key ?? NAMES[part]} ${text}`)
    throw new BackhaulError('INVALID_OPTIONS', `Cannot connect: ${words.join('; ')}`)
  }
  return { library: result.library, target: withValues(result.target, env), url }
}

const NAMES = { library: 'library', connection: 'connection string', config: 'configuration file' }

function readConfig(path: string): KeyFile {
  try {
    return parseKeyFile(readFileSync(path, 'utf8'))
  } catch (cause) {
    throw new BackhaulError(
      'FILE_UNREADABLE',
      `Cannot read "${path}": check the path and its permissions`,
      cause,
    )
  }
}
