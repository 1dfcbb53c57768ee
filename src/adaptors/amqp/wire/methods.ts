import type { WritableTable } from './method-writer.ts'
import { MethodWriter } from './method-writer.ts'
import { METHOD } from './protocol.ts'

/*
 * The methods that a client sends, as whole frames, in the order in which a connection uses them. `ticket` is a field that
 * AMQP 0-9-1 has kept from its forerunners and that is always 0.
 */

const TICKET = 0

/** Answers `start`: who we are, and how the user proves itself. */
export function startOk(properties: WritableTable, mechanism: string, response: string): Buffer {
  return new MethodWriter(0, METHOD.startOk)
    .table(properties)
    .shortText(mechanism)
    .longText(response)
    .shortText('en_US')
    .frame()
}

/** Answers `tune`. */
export function tuneOk(channelMax: number, frameMax: number, heartbeatSeconds: number): Buffer {
  return new MethodWriter(0, METHOD.tuneOk).u16(channelMax).u32(frameMax).u16(heartbeatSeconds).frame()
}

/** Chooses the virtual host. */
export function open(virtualHost: string): Buffer {
  return new MethodWriter(0, METHOD.open).shortText(virtualHost).shortText('').bits(false).frame()
}

/** Ends a connection (channel 0) or a channel. */
export function close(channel: number, code: number, text: string): Buffer {
  const method = channel === 0 ? METHOD.close : METHOD.channelClose
  return new MethodWriter(channel, method).u16(code).shortText(text).u16(0).u16(0).frame()
}

/** Answers the end of a connection (channel 0) or a channel. */
export function closeOk(channel: number): Buffer {
  return new MethodWriter(channel, channel === 0 ? METHOD.closeOk : METHOD.channelCloseOk).frame()
}

/** Opens a channel. */
export function channelOpen(channel: number): Buffer {
  return new MethodWriter(channel, METHOD.channelOpen).shortText('').frame()
}

/** Has messages of this channel confirmed. */
export function confirmSelect(channel: number): Buffer {
  return new MethodWriter(channel, METHOD.confirmSelect).bits(false).frame()
}

/** Makes an exchange, or checks that it is there. */
export function exchangeDeclare(
  channel: number,
  { name, type, durable, check }: { name: string; type: string; durable: boolean; check: boolean },
): Buffer {
  return new MethodWriter(channel, METHOD.exchangeDeclare)
    .u16(TICKET)
    .shortText(name)
    .shortText(type)
    .bits(check, durable)
    .table({})
    .frame()
}

/** How a queue is declared. */
export interface QueueDeclaration {
  /** Its name. */
  readonly name: string
  /** Only checks that it is there. */
  readonly check: boolean
  /** Lives over a restart of the broker. */
  readonly durable: boolean
  /** Is this connection's alone, and ends with it. */
  readonly exclusive: boolean
  /** What kind it is, and its limits. */
  readonly arguments: WritableTable
}

/** Makes a queue, or checks that it is there. */
export function queueDeclare(channel: number, queue: QueueDeclaration): Buffer {
  return new MethodWriter(channel, METHOD.queueDeclare)
    .u16(TICKET)
    .shortText(queue.name)
    .bits(queue.check, queue.durable, queue.exclusive, queue.exclusive)
    .table(queue.arguments)
    .frame()
}

/** Has the messages of a topic come to a queue. */
export function queueBind(channel: number, queue: string, exchange: string, topic: string): Buffer {
  return new MethodWriter(channel, METHOD.queueBind)
    .u16(TICKET)
    .shortText(queue)
    .shortText(exchange)
    .shortText(topic)
    .bits(false)
    .table({})
    .frame()
}

/** How many messages each consumer of the channel may hold unacknowledged. */
export function qos(channel: number, prefetch: number): Buffer {
  return new MethodWriter(channel, METHOD.qos).u32(0).u16(prefetch).bits(false).frame()
}

/** Begins to read a queue. */
export function consume(channel: number, queue: string, tag: string): Buffer {
  return new MethodWriter(channel, METHOD.consume)
    .u16(TICKET)
    .shortText(queue)
    .shortText(tag)
    .bits(false)
    .table({})
    .frame()
}
