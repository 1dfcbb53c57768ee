/** Name and value pairs that travel beside a payload. Values are text; a binary value is the caller's to encode. */
export type Headers = Readonly<Record<string, string>>

/**
 * One message on its way to a broker, as every room below `client/` sees it.
 *
 * All fields are always present, so that the engine keeps one hidden class for millions of them.
 * Nobody may change a message, its headers or the bytes of its payload once it was handed over.
 */
export interface Message {
  /** ULID made at acceptance, or the id that the caller gave. Stable over every repeat: consumers de-duplicate by it. */
  readonly id: string
  /** Where it goes, in the protocol's own syntax (MQTT topic name, Kafka topic, ...). */
  readonly topic: string
  /** The bytes, delivered exactly. May be empty. */
  readonly payload: Uint8Array
  /** Messages of one topic with the same key arrive in order. A message without a key is ordered within its topic. */
  readonly key: string | undefined
  /** Application headers, or `undefined` for none. */
  readonly headers: Headers | undefined
}

/** The classes of a destination's traffic, most urgent first. First in, first out in each. */
export const PRIORITIES = ['control', 'alarm', 'telemetry'] as const
/** One of {@link PRIORITIES}. */
export type Priority = (typeof PRIORITIES)[number]

/** What an application hands to `send()`. */
export interface OutboundMessage {
  /** Where it goes, in the protocol's own syntax. */
  readonly topic: string
  /** The bytes; text is sent as UTF-8. */
  readonly payload: Uint8Array | string
  /** Order is kept among messages of one topic with the same key. */
  readonly key?: string | undefined
  /** Application headers. They are carried only where the link's capabilities say so. */
  readonly headers?: Headers | undefined
  /** An id of the caller's own, up to 128 characters. @default a new ULID */
  readonly id?: string | undefined
}

/** The caller's proof that a message is safe. */
export interface Receipt {
  /** The id under which the message travels. */
  readonly id: string
  /**
   * Resolves when the broker has acknowledged the message.
   * Nothing is set up until it is called; calling it again gives an equal promise.
   *
   * @throws BackhaulError the refusal, or the reason of the drop (`EXPIRED`, `OUTBOX_FULL`, `CLOSED`).
   */
  delivered(): Promise<void>
}
