import type { Headers } from '../../../contract/index.ts'
import type { Cursor, FieldTable } from './cursor.ts'
import { setOwn } from './cursor.ts'
import { BASIC_CLASS } from './protocol.ts'

/*
 * A message in AMQP: a header frame with its size and its properties, each there when its flag is set, then its body.
 *
 *   topic      the routing key            id        the property message-id
 *   payload    the body                   key       the header "backhaul-key"
 *   headers    the property headers; the header "content-type" also as the property of that name
 */

/** The header that carries a message's key. */
export const KEY_HEADER = 'backhaul-key'
/** The header that is a property in AMQP. */
export const CONTENT_TYPE_HEADER = 'content-type'

/** Flags of the properties, in the order in which they are written. */
export const PROPERTY = {
  contentType: 0x8000,
  contentEncoding: 0x4000,
  headers: 0x2000,
  deliveryMode: 0x1000,
  priority: 0x0800,
  correlationId: 0x0400,
  replyTo: 0x0200,
  expiration: 0x0100,
  messageId: 0x0080,
} as const

/** What the broker notes about its own deliveries. */
const BROKERS_OWN = /^x-(?:death$|first-death-|last-death-|delivery-count$|acquired-count$)/

/** What a header frame says. */
export interface ContentHeader {
  /** Bytes of the body. */
  readonly size: number
  /** The sender's id. */
  readonly id: string | undefined
  /** The sender's key. */
  readonly key: string | undefined
  /** The sender's headers; values that are no text, number or flag are left out. */
  readonly headers: Headers | undefined
}

/** Reads a header frame. */
export function readContentHeader(cursor: Cursor, plainContentType: string): ContentHeader {
  const kind = cursor.u16()
  if (kind !== BASIC_CLASS) throw new RangeError(`content of the class ${kind}`)
  cursor.u16()
  const size = cursor.u64()
  const flags = cursor.u16()
  const has = (flag: number) => (flags & flag) !== 0
  const contentType = has(PROPERTY.contentType) ? cursor.shortText() : undefined
  if (has(PROPERTY.contentEncoding)) cursor.skipShortText()
  const table = has(PROPERTY.headers) ? cursor.table() : undefined
  if (has(PROPERTY.deliveryMode)) cursor.u8()
  if (has(PROPERTY.priority)) cursor.u8()
  for (const flag of [PROPERTY.correlationId, PROPERTY.replyTo, PROPERTY.expiration]) {
    if (has(flag)) cursor.skipShortText()
  }
  const id = has(PROPERTY.messageId) ? cursor.shortText() : undefined
  const key = table?.[KEY_HEADER]
  return {
    size,
    id: id === '' ? undefined : id,
    key: typeof key === 'string' ? key : undefined,
    headers: headersOf(table, contentType === plainContentType ? undefined : contentType),
  }
}

function headersOf(table: FieldTable | undefined, contentType: string | undefined): Headers | undefined {
  let headers: Record<string, string> | undefined
  if (contentType !== undefined) headers = { [CONTENT_TYPE_HEADER]: contentType }
  for (const name in table) {
    const value = table[name]
    if (name === KEY_HEADER || typeof value === 'object' || BROKERS_OWN.test(name)) continue
    headers ??= {}
    setOwn(headers, name, String(value))
  }
  return headers
}
