import type { ErrorCode, ErrorFacts, RefusalScope } from '../../contract/index.ts'
import { BackhaulError } from '../../contract/index.ts'

export { aborted, closed, late, linkLost } from '../shared/link-errors.ts'

/*
 * Kafka's errors by their names in its protocol, in our words. Where a request that carried messages is refused, the name also
 * decides what becomes of them; that is in produce-verdict.ts.
 */

type Meaning = readonly [code: ErrorCode, words: string]

const MEANINGS: Readonly<Record<string, Meaning>> = {
  TOPIC_AUTHORIZATION_FAILED: [
    'NOT_AUTHORIZED',
    'this identity has no right to the topic, allow it in the access list of the broker',
  ],
  GROUP_AUTHORIZATION_FAILED: [
    'NOT_AUTHORIZED',
    'this identity has no right to the group, allow Read on it in the access list of the broker',
  ],
  CLUSTER_AUTHORIZATION_FAILED: [
    'NOT_AUTHORIZED',
    'this identity has no right to the cluster, allow it in the access list of the broker',
  ],
  TRANSACTIONAL_ID_AUTHORIZATION_FAILED: [
    'NOT_AUTHORIZED',
    'this identity has no right to the transactional id, allow it in the access list of the broker',
  ],
  UNKNOWN_TOPIC_OR_PARTITION: [
    'REFUSED',
    'the broker has no such topic, create it, or let the broker do so (auto.create.topics.enable)',
  ],
  INVALID_TOPIC_EXCEPTION: ['INVALID_TOPIC', 'the broker does not take this name, choose another'],
  MESSAGE_TOO_LARGE: [
    'MESSAGE_TOO_LARGE',
    "it is larger than the broker takes, send less or raise the topic's max.message.bytes",
  ],
  RECORD_LIST_TOO_LARGE: [
    'MESSAGE_TOO_LARGE',
    "it is larger than the broker takes, send less or raise the topic's segment.bytes",
  ],
  INVALID_RECORD: ['INVALID_MESSAGE', 'the broker does not take it, see its reason'],
  INVALID_TIMESTAMP: [
    'INVALID_MESSAGE',
    "its time is too far from the broker's, set the clock of this machine",
  ],
  CORRUPT_MESSAGE: ['INVALID_MESSAGE', 'it arrived damaged, send it again'],
  POLICY_VIOLATION: ['REFUSED', 'a policy of the broker forbids it, see its reason'],
  SASL_AUTHENTICATION_FAILED: [
    'BAD_CREDENTIALS',
    'the broker refused the user or password, check them at both sides, and the mechanism',
  ],
  UNSUPPORTED_SASL_MECHANISM: [
    'BAD_CREDENTIALS',
    'the broker does not offer this SASL mechanism, choose one that it offers',
  ],
  ILLEGAL_SASL_STATE: [
    'BAD_CREDENTIALS',
    'this listener takes no user and password, use a SASL listener or give none',
  ],
  UNSUPPORTED_VERSION: ['UNSUPPORTED', 'the broker is too old, use Apache Kafka 3.0 or newer'],
  INVALID_REQUIRED_ACKS: ['INVALID_OPTIONS', 'the broker does not take these acks, use all, 1 or 0'],
  UNSUPPORTED_COMPRESSION_TYPE: [
    'INVALID_OPTIONS',
    'the broker does not take this compression, choose another',
  ],
  INVALID_SESSION_TIMEOUT: [
    'INVALID_OPTIONS',
    'the broker does not take this sessionTimeoutMs, see its group.min.session.timeout.ms and max',
  ],
  INVALID_GROUP_ID: ['INVALID_OPTIONS', 'the broker does not take this name of a group, choose another'],
  INCONSISTENT_GROUP_PROTOCOL: [
    'INVALID_OPTIONS',
    'the other members of the group share out partitions in another way, choose an assignor that all know',
  ],
  GROUP_MAX_SIZE_REACHED: ['REFUSED', 'the group is full, see group.max.size of the broker'],
  FENCED_INSTANCE_ID: ['REFUSED', 'another member has the same groupInstanceId, give each member its own'],
  NOT_ENOUGH_REPLICAS: ['REFUSED', 'too few replicas of the partition are in sync, it is tried again'],
  NOT_ENOUGH_REPLICAS_AFTER_APPEND: [
    'REFUSED',
    'too few replicas of the partition are in sync, it is tried again',
  ],
}

/** What is known about a refusal. */
export interface KafkaRefusal {
  /** The error's name in Kafka's protocol. */
  readonly name: string
  /** Completes "Cannot ...". */
  readonly what: string
  /** What the refusal covers. */
  readonly scope?: RefusalScope | undefined
  /** The broker's own text beside the name. */
  readonly text?: string | null | undefined
}

/** Translates an error that a broker answered. */
export function kafkaError({ name, what, scope, text }: KafkaRefusal): BackhaulError {
  const [code, words] = MEANINGS[name] ?? ['REFUSED', `the broker answered ${name}, it is tried again`]
  const said = text === undefined || text === null || text === '' ? name : `${name}: ${text}`
  const facts: ErrorFacts = { brokerReason: said, ...(scope !== undefined && { scope }) }
  return new BackhaulError(code, `Cannot ${what}: ${words}`, undefined, facts)
}

/** A link that ended because of what a broker answered. It is dialled again. */
export function lostBy(refusal: KafkaRefusal): BackhaulError {
  const { name, what, text } = refusal
  const said = text === undefined || text === null || text === '' ? name : `${name}: ${text}`
  return new BackhaulError(
    'LINK_LOST',
    `Cannot ${what}: the broker answered ${name}, the link is dialled again`,
    undefined,
    { brokerReason: said },
  )
}

/** Bytes that are no answer of Kafka. */
export function violation(address: string, why: string, cause?: unknown): BackhaulError {
  return new BackhaulError(
    'PROTOCOL_ERROR',
    `Cannot go on with ${address}: it sent ${why}, check that the address is of a Kafka broker`,
    cause,
  )
}
