/*
 * The numbers of AMQP 0-9-1 that are used here (specification of the AMQP Working Group, version 0-9-1, and RabbitMQ's extensions
 * to it: confirms, nacks, blocked connections). A method's id is its class in the upper and its number in the lower 16 bits.
 *
 *   frame     0      1         3        7           7 + size
 *             type   channel   size     payload     0xCE
 *   method    id (4), arguments
 *   header    class (2), weight (2), size of the body (8), flags (2), properties
 *   body      bytes; a message has as many as its size needs, none for an empty one
 */

/** What a client says first. */
export const PROTOCOL_HEADER: Buffer = Buffer.from('AMQP\0\0\x09\x01', 'latin1')

/** Kinds of frames. */
export const FRAME = { method: 1, header: 2, body: 3, heartbeat: 8 } as const
/** The last byte of each frame. */
export const FRAME_END = 0xce
/** Bytes of a frame beside its payload. */
export const FRAME_OVERHEAD = 8
/** The smallest limit of a frame that may be agreed on, in bytes. */
export const MIN_FRAME_MAX = 4096

const CONNECTION = 10 << 16
const CHANNEL = 20 << 16
const EXCHANGE = 40 << 16
const QUEUE = 50 << 16
const BASIC = 60 << 16
const CONFIRM = 85 << 16

/** The class of messages, as it stands in their header frames. */
export const BASIC_CLASS = 60

/** Methods by name. */
export const METHOD = {
  start: CONNECTION | 10,
  startOk: CONNECTION | 11,
  secure: CONNECTION | 20,
  tune: CONNECTION | 30,
  tuneOk: CONNECTION | 31,
  open: CONNECTION | 40,
  openOk: CONNECTION | 41,
  close: CONNECTION | 50,
  closeOk: CONNECTION | 51,
  blocked: CONNECTION | 60,
  unblocked: CONNECTION | 61,
  channelOpen: CHANNEL | 10,
  channelOpenOk: CHANNEL | 11,
  channelClose: CHANNEL | 40,
  channelCloseOk: CHANNEL | 41,
  exchangeDeclare: EXCHANGE | 10,
  exchangeDeclareOk: EXCHANGE | 11,
  queueDeclare: QUEUE | 10,
  queueDeclareOk: QUEUE | 11,
  queueBind: QUEUE | 20,
  queueBindOk: QUEUE | 21,
  qos: BASIC | 10,
  qosOk: BASIC | 11,
  consume: BASIC | 20,
  consumeOk: BASIC | 21,
  cancel: BASIC | 30,
  publish: BASIC | 40,
  return: BASIC | 50,
  deliver: BASIC | 60,
  ack: BASIC | 80,
  nack: BASIC | 120,
  confirmSelect: CONFIRM | 10,
  confirmSelectOk: CONFIRM | 11,
} as const

/** Reply codes that mean something of their own here. */
export const REPLY = {
  success: 200,
  contentTooLarge: 311,
  noRoute: 312,
  connectionForced: 320,
  accessRefused: 403,
  notFound: 404,
  resourceLocked: 405,
  preconditionFailed: 406,
  notAllowed: 530,
} as const
