import type { ErrorCode, Outcome, RefusalScope } from '../../../contract/index.ts'
import { BackhaulError } from '../../../contract/index.ts'

/*
 * What brokers say, in our words. MQTT 5 has one table of reason codes for all packets (section 2.4); MQTT 3.1.1 has
 * a few return codes of CONNACK and one of SUBACK.
 */

/** From here on, a reason code means failure. */
export const FAILURE = 0x80
/** The broker does not speak our version. */
export const UNSUPPORTED_VERSION = 0x84
const NOT_AUTHORIZED = 0x87
const NOT_LET_IN = "check the user and the password, and the broker's access list"

interface Reason {
  /** Its name in the standard. */
  readonly name: string
  /** What it means for a link or a subscription. */
  readonly code: ErrorCode
  /** What mends it. */
  readonly fix: string
}

const REASONS: Readonly<Record<number, Reason>> = {
  0x80: { name: 'Unspecified error', code: 'REFUSED', fix: "see the broker's log" },
  0x81: { name: 'Malformed packet', code: 'PROTOCOL_ERROR', fix: "see the broker's log" },
  0x82: { name: 'Protocol error', code: 'PROTOCOL_ERROR', fix: "see the broker's log" },
  0x83: { name: 'Implementation specific error', code: 'REFUSED', fix: "see the broker's log" },
  0x84: {
    name: 'Unsupported protocol version',
    code: 'UNSUPPORTED',
    fix: 'set version to auto, or to the one that it speaks',
  },
  0x85: {
    name: 'Client identifier not valid',
    code: 'BAD_CREDENTIALS',
    fix: 'give a clientId that the broker accepts',
  },
  0x86: {
    name: 'Bad user name or password',
    code: 'BAD_CREDENTIALS',
    fix: 'check the user and the password',
  },
  0x87: { name: 'Not authorized', code: 'NOT_AUTHORIZED', fix: "add the right to the broker's access list" },
  0x88: { name: 'Server unavailable', code: 'UNREACHABLE', fix: 'wait, or look after the broker' },
  0x89: { name: 'Server busy', code: 'UNREACHABLE', fix: 'wait, or look after the load of the broker' },
  0x8a: { name: 'Banned', code: 'NOT_AUTHORIZED', fix: 'have the ban lifted at the broker' },
  0x8b: { name: 'Server shutting down', code: 'LINK_LOST', fix: 'it is dialled again by itself' },
  0x8c: {
    name: 'Bad authentication method',
    code: 'BAD_CREDENTIALS',
    fix: 'use a user and password, or a client certificate',
  },
  0x8d: {
    name: 'Keep alive timeout',
    code: 'LINK_LOST',
    fix: 'check the network and the load of this machine',
  },
  0x8e: {
    name: 'Session taken over',
    code: 'LINK_LOST',
    fix: 'give each client a clientId of its own',
  },
  0x8f: { name: 'Topic filter invalid', code: 'INVALID_TOPIC', fix: 'choose another filter' },
  0x90: { name: 'Topic name invalid', code: 'INVALID_TOPIC', fix: 'choose another topic' },
  0x91: { name: 'Packet identifier in use', code: 'PROTOCOL_ERROR', fix: "see the broker's log" },
  0x93: {
    name: 'Receive maximum exceeded',
    code: 'PROTOCOL_ERROR',
    fix: "see the broker's log",
  },
  0x94: { name: 'Topic alias invalid', code: 'PROTOCOL_ERROR', fix: "see the broker's log" },
  0x95: {
    name: 'Packet too large',
    code: 'MESSAGE_TOO_LARGE',
    fix: 'send less, or raise the limit at the broker',
  },
  0x96: {
    name: 'Message rate too high',
    code: 'REFUSED',
    fix: 'send less often, or raise the limit at the broker',
  },
  0x97: { name: 'Quota exceeded', code: 'REFUSED', fix: 'raise the quota at the broker' },
  0x98: { name: 'Administrative action', code: 'REFUSED', fix: 'ask whoever looks after the broker' },
  0x99: { name: 'Payload format invalid', code: 'INVALID_MESSAGE', fix: 'mend the payload' },
  0x9a: { name: 'Retain not supported', code: 'UNSUPPORTED', fix: 'set retain to false' },
  0x9b: { name: 'QoS not supported', code: 'UNSUPPORTED', fix: 'lower the qos' },
  0x9c: { name: 'Use another server', code: 'REFUSED', fix: 'dial the broker that it names' },
  0x9d: { name: 'Server moved', code: 'REFUSED', fix: 'dial the broker that it names' },
  0x9e: {
    name: 'Shared subscriptions not supported',
    code: 'UNSUPPORTED',
    fix: 'subscribe without a group',
  },
  0x9f: { name: 'Connection rate exceeded', code: 'UNREACHABLE', fix: 'wait' },
  0xa0: { name: 'Maximum connect time', code: 'LINK_LOST', fix: 'it is dialled again by itself' },
  0xa1: {
    name: 'Subscription identifiers not supported',
    code: 'UNSUPPORTED',
    fix: 'set version to 3.1.1',
  },
  0xa2: {
    name: 'Wildcard subscriptions not supported',
    code: 'UNSUPPORTED',
    fix: 'subscribe to whole topic names',
  },
}

const UNKNOWN: Reason = { name: 'Unknown reason', code: 'REFUSED', fix: "see the broker's log" }

/** CONNACK of MQTT 3.1.1 in the codes of MQTT 5. */
const RETURN_CODES: Readonly<Record<number, number>> = { 1: 0x84, 2: 0x85, 3: 0x88, 4: 0x86, 5: 0x87 }

/** Puts a return code of MQTT 3.1.1's CONNACK into the table of MQTT 5. */
export function reasonOfReturnCode(returnCode: number): number {
  return RETURN_CODES[returnCode] ?? FAILURE
}

/** The broker's word for a reason, with the text it may have added. */
export function brokerReason(code: number, text?: string): string {
  const name = REASONS[code]?.name ?? `${UNKNOWN.name} 0x${code.toString(16)}`
  return text === undefined || text === '' ? name : `${name}: ${text.slice(0, 500)}`
}

/**
 * The error of a refusal.
 *
 * @param doing - completes "Cannot ..."
 * @param text - the broker's own text, if any
 */
export function refusal(doing: string, code: number, scope: RefusalScope, text?: string): BackhaulError {
  const reason = REASONS[code] ?? UNKNOWN
  const word = brokerReason(code, text)
  // Mosquitto and others say no more than this for a wrong password
  const fix = code === NOT_AUTHORIZED && scope === 'link' ? NOT_LET_IN : reason.fix
  return new BackhaulError(reason.code, `Cannot ${doing}: the broker says "${word}", ${fix}`, undefined, {
    scope,
    brokerReason: word,
  })
}

/** Reasons of PUBACK and PUBREC that are about the message itself. */
const MESSAGE_REASONS: ReadonlySet<number> = new Set([0x90, 0x95, 0x99])
/** Those that may be over in a moment. */
const PASSING_REASONS: ReadonlySet<number> = new Set([0x80, 0x83, 0x91, 0x96, 0x97])

/** What a failing PUBACK or PUBREC means for its message. */
export function publishOutcome(topic: string, code: number, text?: string): Outcome {
  const doing = `publish to "${topic}"`
  if (PASSING_REASONS.has(code)) return { kind: 'failed', error: refusal(doing, code, 'message', text) }
  const scope = MESSAGE_REASONS.has(code) ? 'message' : 'topic'
  return { kind: 'refused', scope, error: refusal(doing, code, scope, text) }
}
