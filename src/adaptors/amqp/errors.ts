import type { ErrorCode, RefusalScope } from '../../contract/index.ts'
import { BackhaulError } from '../../contract/index.ts'
import { REPLY } from './wire/protocol.ts'

export { aborted, closed, late, linkLost } from '../shared/link-errors.ts'

/*
 * What RabbitMQ answers, in our words. It ends the connection or the channel with a reply code and a text; the code alone often does not
 * say what is meant (530 is for a virtual host that is missing as well as for one that is forbidden), so the text decides then.
 */

/** How a broker ended a connection or a channel, or returned a message. */
export interface Refusal {
  /** Its reply code. */
  readonly code: number
  /** Its text. */
  readonly text: string
}

type Meaning = readonly [code: ErrorCode, words: string]

const NO_EXCHANGE = 'the broker has no such exchange, create it, or set declareExchange: true'

/** Translates the refusal of a dial: the broker ended the connection before it was open. */
export function dialRefused(address: string, refusal: Refusal, who: string): BackhaulError {
  const [code, words] = meaningOfDial(refusal, who)
  return new BackhaulError(code, `Cannot connect to ${address}: ${words}`, undefined, {
    scope: 'link',
    brokerReason: wordsOf(refusal),
  })
}

function meaningOfDial({ code, text }: Refusal, who: string): Meaning {
  if (/vhost .* not found/i.test(text)) {
    return ['REFUSED', 'the broker has no such virtual host, create it, or name another in the address']
  }
  if (/access to vhost/i.test(text)) {
    return [
      'NOT_AUTHORIZED',
      `${who} may not use this virtual host, give it rights there (rabbitmqctl set_permissions)`,
    ]
  }
  if (code === REPLY.accessRefused) {
    return ['BAD_CREDENTIALS', `the broker refused ${who}, check the credentials at both sides`]
  }
  return ['REFUSED', 'the broker ended the connection, see its reason']
}

/** Translates what ended a channel: a refusal of what was asked on it. */
export function refused(refusal: Refusal, what: string, scope: RefusalScope): BackhaulError {
  const [code, words] = meaningOf(refusal)
  return new BackhaulError(code, `Cannot ${what}: ${words}`, undefined, {
    scope,
    brokerReason: wordsOf(refusal),
  })
}

function meaningOf({ code, text }: Refusal): Meaning {
  switch (code) {
    case REPLY.accessRefused:
      return [
        'NOT_AUTHORIZED',
        'this identity has no right to it, add it at the broker (rabbitmqctl set_permissions, set_topic_permissions)',
      ]
    case REPLY.notFound:
      if (/no exchange/i.test(text)) return ['REFUSED', NO_EXCHANGE]
      return ['REFUSED', 'the broker has no such queue, create it, or set declareQueues: true']
    case REPLY.resourceLocked:
      return ['REFUSED', 'the queue belongs to another connection alone, choose another group or queueName']
    case REPLY.preconditionFailed:
      if (/message size/i.test(text)) {
        return [
          'MESSAGE_TOO_LARGE',
          "it is larger than the broker takes, send less or raise the broker's max_message_size",
        ]
      }
      return [
        'INVALID_OPTIONS',
        'the broker has it with other properties, see its reason, and set the options to match or choose another name',
      ]
    default:
      return ['REFUSED', 'the broker refuses it, see its reason']
  }
}

/** A message that no queue took. */
export function returned(topic: string, refusal: Refusal): BackhaulError {
  const words =
    refusal.code === REPLY.noRoute
      ? 'no queue is bound to it, bind one at the broker, or set mandatory: false'
      : 'the broker returned it, see its reason'
  return new BackhaulError('REFUSED', `Cannot publish to "${topic}": ${words}`, undefined, {
    scope: 'topic',
    brokerReason: wordsOf(refusal),
  })
}

/** A message that the broker did not take now. */
export function notTaken(topic: string): BackhaulError {
  return new BackhaulError(
    'REFUSED',
    `Cannot publish to "${topic}": the broker did not take it now (a queue is full or has failed), it is sent again`,
    undefined,
    { brokerReason: 'basic.nack' },
  )
}

/** A broker that takes no messages since it is short of memory or disk. */
export function brokerBlocked(address: string, reason: string): BackhaulError {
  return new BackhaulError(
    'REFUSED',
    `Cannot publish to ${address}: the broker takes no messages for now, give it more memory or disk`,
    undefined,
    { brokerReason: reason },
  )
}

/** A link that ended because of what the broker said. It is dialled again. */
export function lostBy(address: string, refusal: Refusal): BackhaulError {
  return new BackhaulError(
    'LINK_LOST',
    `Cannot go on with ${address}: the broker ended the connection, it is dialled again by itself`,
    undefined,
    { brokerReason: wordsOf(refusal) },
  )
}

/** A subscription that the broker ended: its queue was deleted or has moved. */
export function consumerCancelled(address: string, queue: string): BackhaulError {
  return new BackhaulError(
    'LINK_LOST',
    `Cannot go on with ${address}: the broker ended the subscription to the queue "${queue}", it is made again on the next link`,
    undefined,
    { brokerReason: 'basic.cancel' },
  )
}

/** Bytes that are no AMQP. */
export function violation(address: string, cause: unknown): BackhaulError {
  const what = cause instanceof Error ? cause.message : 'bytes that make no sense'
  return new BackhaulError(
    'PROTOCOL_ERROR',
    `Cannot go on with ${address}: it sent ${what}, check that the address is of a broker of AMQP 0-9-1`,
    cause,
  )
}

function wordsOf({ code, text }: Refusal): string {
  return `${code} ${text}`
}
