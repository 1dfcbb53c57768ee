/*
 * What a broker's answer to a record batch means for its messages.
 *
 * - delivered: it has them.
 * - split: together they are too much; each half is tried alone, and one alone is refused.
 * - culprits: it names the records that it will not have; the others are tried again, or each half where it names none.
 * - topic: it will have nothing for this topic.
 * - again: it had no part in the matter (the partition is led elsewhere, or is being made): the topic is looked up afresh.
 * - fail: it is not able now. Nothing was written; the pump sends it again.
 * - link: it will have nothing from us.
 * - end: nobody knows, or what it knows of us is lost: a fresh link begins anew.
 */

/** See the top of this file. */
export type Verdict = 'delivered' | 'split' | 'culprits' | 'topic' | 'again' | 'fail' | 'link' | 'end'

const VERDICTS: Readonly<Record<string, Verdict>> = {
  NONE: 'delivered',
  // a repeat of what the broker has
  DUPLICATE_SEQUENCE_NUMBER: 'delivered',
  MESSAGE_TOO_LARGE: 'split',
  RECORD_LIST_TOO_LARGE: 'split',
  INVALID_RECORD: 'culprits',
  INVALID_TIMESTAMP: 'culprits',
  CORRUPT_MESSAGE: 'culprits',
  TOPIC_AUTHORIZATION_FAILED: 'topic',
  INVALID_TOPIC_EXCEPTION: 'topic',
  POLICY_VIOLATION: 'topic',
  UNKNOWN_TOPIC_OR_PARTITION: 'again',
  LEADER_NOT_AVAILABLE: 'again',
  NOT_LEADER_OR_FOLLOWER: 'again',
  FENCED_LEADER_EPOCH: 'again',
  NOT_ENOUGH_REPLICAS: 'fail',
  CLUSTER_AUTHORIZATION_FAILED: 'link',
  TRANSACTIONAL_ID_AUTHORIZATION_FAILED: 'link',
  INVALID_REQUIRED_ACKS: 'link',
  UNSUPPORTED_COMPRESSION_TYPE: 'link',
}

/** The verdict on an error, by its name in Kafka's protocol. */
export function verdictOf(name: string): Verdict {
  return VERDICTS[name] ?? 'end'
}
