import type { BackhaulError } from '../../../contract/index.ts'
import { BackhaulError as Failure } from '../../../contract/index.ts'
import { kafkaError } from '../errors.ts'
import type { NativeError } from './binding.ts'

/*
 * librdkafka's errors by their numbers: from 0 up they are those of Kafka's protocol, below they are its own. Why a connection fails, it
 * says only as a text of its log; the patterns below are of librdkafka 2.15.
 */

/** librdkafka's own errors that are acted on. */
export const LOCAL = {
  transport: -195,
  timedOutMessage: -192,
  unknownPartition: -190,
  unknownTopic: -188,
  timedOut: -185,
  queueFull: -184,
  assign: -175,
  revoke: -174,
  allDown: -187,
  authentication: -169,
  purgedQueue: -152,
  purgedInFlight: -151,
  fatal: -150,
  maxPollExceeded: -147,
  otherRecord: -138,
} as const

const NAMES: Readonly<Record<number, string>> = {
  0: 'NONE',
  2: 'CORRUPT_MESSAGE',
  3: 'UNKNOWN_TOPIC_OR_PARTITION',
  5: 'LEADER_NOT_AVAILABLE',
  6: 'NOT_LEADER_OR_FOLLOWER',
  10: 'MESSAGE_TOO_LARGE',
  17: 'INVALID_TOPIC_EXCEPTION',
  18: 'RECORD_LIST_TOO_LARGE',
  19: 'NOT_ENOUGH_REPLICAS',
  20: 'NOT_ENOUGH_REPLICAS_AFTER_APPEND',
  21: 'INVALID_REQUIRED_ACKS',
  22: 'ILLEGAL_GENERATION',
  23: 'INCONSISTENT_GROUP_PROTOCOL',
  24: 'INVALID_GROUP_ID',
  25: 'UNKNOWN_MEMBER_ID',
  26: 'INVALID_SESSION_TIMEOUT',
  27: 'REBALANCE_IN_PROGRESS',
  29: 'TOPIC_AUTHORIZATION_FAILED',
  30: 'GROUP_AUTHORIZATION_FAILED',
  31: 'CLUSTER_AUTHORIZATION_FAILED',
  32: 'INVALID_TIMESTAMP',
  33: 'UNSUPPORTED_SASL_MECHANISM',
  34: 'ILLEGAL_SASL_STATE',
  35: 'UNSUPPORTED_VERSION',
  44: 'POLICY_VIOLATION',
  45: 'OUT_OF_ORDER_SEQUENCE_NUMBER',
  53: 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED',
  58: 'SASL_AUTHENTICATION_FAILED',
  76: 'UNSUPPORTED_COMPRESSION_TYPE',
  81: 'GROUP_MAX_SIZE_REACHED',
  82: 'FENCED_INSTANCE_ID',
  87: 'INVALID_RECORD',
  [LOCAL.unknownTopic]: 'UNKNOWN_TOPIC_OR_PARTITION',
  [LOCAL.unknownPartition]: 'UNKNOWN_TOPIC_OR_PARTITION',
}

/** The name of an error in Kafka's protocol. */
export function nativeErrorName(code: number): string {
  return NAMES[code] ?? `error ${code}`
}

/** A refusal that librdkafka reported. */
export function nativeRefusal(
  error: NativeError,
  what: string,
  scope: 'message' | 'topic' | 'link' | undefined,
): BackhaulError {
  const text = error.message.replace(/^(Broker|Local): /, '')
  return kafkaError({ name: nativeErrorName(error.code), what, scope, text })
}

interface Reason {
  readonly pattern: RegExp
  readonly code: ConstructorParameters<typeof Failure>[0]
  readonly words: string
}

/** What librdkafka's log says about a connection that failed, in our words. */
const REASONS: readonly Reason[] = [
  {
    pattern:
      /SASL authentication error|Authentication failed|SASL .*mechanism handshake failed|SASL .*failure/i,
    code: 'BAD_CREDENTIALS',
    words: 'the broker refused the user or password, check them at both sides, and the mechanism',
  },
  {
    pattern: /alert (certificate required|number 116)|peer did not return a certificate/i,
    code: 'CLIENT_CERTIFICATE_REQUIRED',
    words: 'it demands a client certificate, give tls.cert and tls.key',
  },
  {
    pattern:
      /alert (bad certificate|certificate unknown|unknown ca|certificate expired|certificate revoked)/i,
    code: 'CLIENT_CERTIFICATE_REFUSED',
    words: 'it does not accept our certificate, have it issued by a CA that the broker trusts',
  },
  {
    pattern: /certificate verify failed|certificate could not be verified/i,
    code: 'SERVER_UNTRUSTED',
    words: 'its certificate was not issued by a CA that we trust, give its CA as tls.ca',
  },
  {
    pattern: /connecting to a PLAINTEXT broker listener|wrong version number/i,
    code: 'TLS_NOT_SPOKEN',
    words: 'the port does not speak TLS, dial the TLS port or use the plaintext address form',
  },
  {
    pattern: /SSL handshake failed/i,
    code: 'TLS_FAILED',
    words: 'the TLS handshake failed, compare the TLS settings of both sides',
  },
  {
    pattern: /Failed to resolve/i,
    code: 'NAME_NOT_FOUND',
    words: 'the host name does not resolve, check the name and DNS',
  },
]

/** Why connections fail, by a line of librdkafka's log; `undefined` where it says nothing about that. */
export function reasonOf(line: string, address: string): BackhaulError | undefined {
  const reason = REASONS.find(({ pattern }) => pattern.test(line))
  if (reason === undefined) return undefined
  const scope = reason.code === 'BAD_CREDENTIALS' ? { scope: 'link' as const } : {}
  return new Failure(reason.code, `Cannot connect to ${address}: ${reason.words}`, undefined, scope)
}
