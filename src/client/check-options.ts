import { BackhaulError, PRIORITIES } from '../contract/index.ts'
import { suggestion } from '../kit/nearest.ts'
import type { HandlerOptions } from './client.ts'
import type { SendOptions } from './sending.ts'
import type { ReadStreamOptions, WriteStreamOptions } from './stream.ts'

/** Whether a value fits, and what it must be. */
type Rule = readonly [fits: (value: unknown) => boolean, must: string]
type Rules<T> = Readonly<Record<keyof T & string, Rule>>

const LENGTH: Rule = [
  (value) => typeof value === 'number' && value >= 0,
  'must be a number of milliseconds from 0',
]
const COUNT: Rule = [
  (value) => typeof value === 'number' && (Number.isSafeInteger(value) || value === Infinity) && value >= 1,
  'must be a whole number from 1',
]
const SIGNAL: Rule = [(value) => value instanceof AbortSignal, 'must be an AbortSignal']

const PRIORITY: Rule = [
  (value) => PRIORITIES.some((known) => known === value),
  `must be one of ${PRIORITIES.map((known) => `"${known}"`).join(', ')}`,
]
const TEXT: Rule = [(value) => typeof value === 'string' && value !== '', 'must be a text that is not empty']
const OBJECT: Rule = [(value) => typeof value === 'object' && value !== null, 'must be an object']

const SEND_RULES: Rules<SendOptions> = {
  signal: SIGNAL,
  deadlineMs: LENGTH,
  expiresAfterMs: LENGTH,
  priority: PRIORITY,
}

const SUBSCRIBE_RULES: Rules<HandlerOptions> = {
  signal: SIGNAL,
  group: TEXT,
  maxInWork: COUNT,
  maxDeliveries: COUNT,
  redeliveryDelayMs: LENGTH,
  onGaveUp: [(value) => typeof value === 'function', 'must be a function'],
  deadLetterTopic: [(value) => typeof value === 'string', 'must be a text'],
  concurrency: [(value) => Number.isSafeInteger(value) && COUNT[0](value), 'must be a whole number from 1'],
}

const WRITE_STREAM_RULES: Rules<WriteStreamOptions> = {
  connect: OBJECT,
  topic: TEXT,
  key: [(value) => typeof value === 'string', 'must be a text'],
  priority: PRIORITY,
  componentId: [
    (value) => Number.isSafeInteger(value) && Number(value) >= 0,
    'must be a whole number from 0',
  ],
  maxInFlight: COUNT,
}

const READ_STREAM_RULES: Rules<ReadStreamOptions> = {
  connect: OBJECT,
  group: SUBSCRIBE_RULES.group,
  maxInWork: SUBSCRIBE_RULES.maxInWork,
  maxDeliveries: SUBSCRIBE_RULES.maxDeliveries,
  redeliveryDelayMs: SUBSCRIBE_RULES.redeliveryDelayMs,
  onGaveUp: SUBSCRIBE_RULES.onGaveUp,
  deadLetterTopic: SUBSCRIBE_RULES.deadLetterTopic,
  acknowledgeOnRead: [(value) => typeof value === 'boolean', 'must be true or false'],
}

/**
 * Checks the options of `send()`.
 *
 * @throws BackhaulError `INVALID_OPTIONS` that names the option
 */
export function checkSendOptions(options: SendOptions): void {
  check(options, SEND_RULES, 'send')
}

/**
 * Checks the options of `subscribe()`.
 *
 * @throws BackhaulError `INVALID_OPTIONS` that names the option
 */
export function checkSubscribeOptions(options: HandlerOptions): void {
  check(options, SUBSCRIBE_RULES, 'subscribe')
}

/**
 * Checks the options of `createWriteStream()`.
 *
 * @throws BackhaulError `INVALID_OPTIONS` that names the option
 */
export function checkWriteStreamOptions(options: WriteStreamOptions): void {
  check(options, WRITE_STREAM_RULES, 'write to a stream')
}

/**
 * Checks the options of `createReadStream()`.
 *
 * @throws BackhaulError `INVALID_OPTIONS` that names the option
 */
export function checkReadStreamOptions(options: ReadStreamOptions): void {
  check(options, READ_STREAM_RULES, 'read from a stream')
}

function check(options: object, rules: Readonly<Record<string, Rule>>, what: string): void {
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined) continue
    const rule = Object.hasOwn(rules, name) ? rules[name] : undefined
    if (rule === undefined) {
      throw invalid(what, name, `is unknown${suggestion(name, Object.keys(rules))}`)
    }
    if (!rule[0](value)) throw invalid(what, name, rule[1])
  }
}

function invalid(what: string, name: string, why: string): BackhaulError {
  return new BackhaulError('INVALID_OPTIONS', `Cannot ${what}: the option "${name}" ${why}`, undefined, {
    problems: [
      {
        path: [name],
        kind: why.startsWith('is unknown') ? 'unknown' : 'invalid',
        text: why,
        nearest: undefined,
      },
    ],
  })
}
