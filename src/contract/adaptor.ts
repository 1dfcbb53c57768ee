import type { Address } from './address.ts'
import type { Delivery } from './delivery.ts'
import type { BackhaulError, RefusalScope } from './errors.ts'
import type { Message } from './message.ts'
import type { Auth, TlsSettings } from './security.ts'

/**
 * What became of one published message.
 *
 * - `delivered`: the broker has acknowledged it.
 * - `failed`: nothing is known, or the broker is not able now. The pump sends it again.
 * - `refused`: the broker will not have it. The scope says what is refused: this `message` (too large, malformed:
 *   it becomes a dead letter), its `topic` (unknown, not authorised: it is parked), or the whole `link`
 *   (the link ends; the message itself is sent again on the next one).
 */
export type Outcome =
  | { readonly kind: 'delivered' }
  | { readonly kind: 'failed'; readonly error: BackhaulError }
  | { readonly kind: 'refused'; readonly scope: RefusalScope; readonly error: BackhaulError }

/** The outcome of an acknowledged message; one object for all of them, since there is one for every message. */
export const DELIVERED: Outcome = Object.freeze({ kind: 'delivered' })

/** Takes the outcome of `batch[index]`. */
export type Settle = (index: number, outcome: Outcome) => void

/**
 * What an adaptor or a link can do, as data. The conformance suite believes only this, and the rooms above
 * act only on this, never on a protocol's name.
 */
export interface Capabilities {
  /** Order per key holds even when one of several messages in flight fails. Where false, the pump keeps one in flight per key. */
  readonly keepsOrderAfterFailure: boolean
  /** Refusals of a message or a topic are reported, instead of being dropped in silence by the broker. */
  readonly reportsRefusals: boolean
  /** A delivery carries the sender's message id. */
  readonly carriesId: boolean
  /** A delivery carries the sender's key. */
  readonly carriesKey: boolean
  /** A delivery carries the sender's headers. */
  readonly carriesHeaders: boolean
  /** An empty payload can be sent and arrives. */
  readonly emptyPayload: boolean
  /** `subscribe` is supported. */
  readonly subscribes: boolean
  /** A topic to subscribe to may be a pattern. */
  readonly patterns: boolean
  /** Members of one group share the messages between them. */
  readonly groups: boolean
  /** A group's messages wait at the broker while no member is there; or, for a durable identity, its own subscriptions do. */
  readonly durableSubscriptions: boolean
  /** What was delivered and not acknowledged comes again after the link was lost. */
  readonly redelivers: boolean
  /** A second link with the same options and credentials leaves the first one alone. */
  readonly parallelLinks: boolean
  /** The largest payload in bytes that the link takes (the broker's own limit may be lower until it is known). */
  readonly maxPayloadBytes: number
  /** How many payload bytes one `publish` call should carry at most. */
  readonly maxBatchBytes: number
  /** How many messages may be on their way at once. */
  readonly maxInFlight: number
}

/** Who and what is at the other end of a link: for status, health and the doctor. */
export interface Peer {
  /** Protocol and version as spoken, for example `MQTT 5`. */
  readonly protocol: string
  /** Host and port, or the adaptor's own name for the place. */
  readonly address: string
  /** The TLS session, or `undefined` on a plaintext link. */
  readonly tls: PeerTls | undefined
}

/** The TLS session of a link. */
export interface PeerTls {
  /** For example `TLSv1.3`. */
  readonly version: string
  /** The suite's IANA name, for example `TLS_AES_256_GCM_SHA384`. */
  readonly cipher: string
  /** Subject of the broker's certificate. */
  readonly peer: string
  /** Subject of the certificate that was offered to the broker, or `undefined` when there was none. */
  readonly own: string | undefined
  /** False where verification was switched off. */
  readonly verified: boolean
}

/** Everything that one dial needs. `tls` and `auth` are made afresh for each dial, so a rotation takes effect at the next. */
export interface DialRequest<Options> {
  /** What the adaptor's `options()` returned. */
  readonly options: Options
  /** TLS settings with their material in memory, or `undefined` for a plaintext link. */
  readonly tls: TlsSettings | undefined
  /** User and password, or `undefined` where there are none. */
  readonly auth: Auth | undefined
}

/** How the link of an address travels: encrypted, in plaintext over a network, or without ever leaving this process. */
export type Transport = 'tls' | 'plaintext' | 'process'

/** A configuration whose security was taken out of it. */
export interface UnfoldedOptions {
  /** What is left of it, for `options()`. */
  readonly config: Readonly<Record<string, unknown>>
  /** What belongs in the `tls` block. */
  readonly tls: Readonly<Record<string, string>>
  /** What belongs in the `auth` block. */
  readonly auth: Readonly<Record<string, string>>
}

/**
 * A protocol, as a value: it holds no state, never logs, and never dials again by itself.
 */
export interface Adaptor<Options = unknown> {
  /** The protocol's name in lower case, for example `mqtt`. */
  readonly protocol: string
  /** The schemes of the addresses that it serves, for example `{ mqtt: 'plaintext', mqtts: 'tls' }`. */
  readonly schemes: Readonly<Record<string, Transport>>
  /** What every link of this adaptor can do at best; a link may narrow it. */
  readonly capabilities: Capabilities
  /**
   * Checks an address and its configuration and gives the normalised options.
   *
   * @throws BackhaulError `INVALID_OPTIONS` or `INVALID_ADDRESS`, naming the option and the nearest known one.
   */
  options(address: Address, config: Readonly<Record<string, unknown>>): Options
  /**
   * Takes out of the configuration what says the same as the `tls` and `auth` blocks in the protocol's own words, so that it is read,
   * checked and kept secret there. Left out where there is no such thing. `options()` refuses what was not
   * taken out.
   *
   * @throws BackhaulError as `options()` does
   */
  unfold?(address: Address, config: Readonly<Record<string, unknown>>): UnfoldedOptions
  /** Sentences for whoever wrote the options: what has no effect, and the like. Each is to be said once. */
  notes?(options: Options): readonly string[]
  /**
   * Text that is equal for two options exactly when their links are interchangeable. It holds every normalised
   * option and no secret: the caller adds those, keyed.
   */
  signature(options: Options): string
  /**
   * Checks a topic's syntax before a message is accepted or a subscription is made.
   *
   * @throws BackhaulError `INVALID_TOPIC`.
   */
  checkTopic(topic: string, use: 'publish' | 'subscribe'): void
  /**
   * Opens a link. Resolves once the broker has accepted the credentials; tries every address of a name.
   * Abort it by `signal`: it then rejects with `ABORTED` and leaves no socket behind.
   *
   * @throws BackhaulError with the reason; `retryable` says whether another try can help.
   */
  dial(request: DialRequest<Options>, signal: AbortSignal): Promise<Link>
}

/** A stream of deliveries. Leaving the loop (`return()`) ends the subscription at the broker. */
export interface Deliveries extends AsyncIterableIterator<Delivery> {
  /**
   * How many messages wait for this subscription at the broker, and here unfinished, as far as is known. Absent, or `undefined`, where the
   * protocol does not tell.
   */
  readonly lag?: number | undefined
}

/**
 * One connection to one broker, from accepted credentials to its end. It never comes back: `lost` ends it for good.
 */
export interface Link {
  /** The adaptor's capabilities as far as this broker and protocol version hold them. */
  readonly capabilities: Capabilities
  /** Who is at the other end. */
  readonly peer: Peer
  /**
   * Sends an ordered batch. Returns at once; never throws.
   *
   * `settle` is called exactly once for each message, in any order, not before the broker's word (or the end of the
   * link) is there, and at the latest after the adaptor's publish deadline: a link that cannot settle by then ends.
   * Batches go out in call order and several may be on their way. When a message of a key (of one topic) fails,
   * every message of that key that was handed in after it and is still unsettled fails too.
   * On an ended link everything fails. When `signal` aborts, what is unsettled fails.
   */
  publish(batch: readonly Message[], settle: Settle, signal: AbortSignal): void
  /**
   * Subscribes. Resolves once the broker has granted all topics.
   *
   * Several deliveries may be in work at once, and a reader that does not read holds up neither other subscriptions nor
   * publishing nor the keep-alive; what is buffered is bounded. The stream ends when `signal` aborts, when it is
   * returned, or when the link ends (without an error: `lost` has it).
   *
   * @throws BackhaulError `NOT_AUTHORIZED`, `INVALID_TOPIC`, `UNSUPPORTED`, `LINK_LOST`, `ABORTED`.
   */
  subscribe(topics: readonly string[], options: SubscribeOptions, signal: AbortSignal): Promise<Deliveries>
  /** Settles once, with the reason, when the link has ended (`CLOSED` after `close()`). Never rejects. */
  readonly lost: Promise<BackhaulError>
  /**
   * Waits until what was published is settled and finished acknowledgements are written, then ends the link and leaves no socket or
   * timer behind. Twice is fine. Works while blocked, and with nobody reading: a broker that does not answer is left after
   * a bounded time (at most 5 s), and what is unsettled fails.
   */
  close(): Promise<void>
}

/** How a subscription is made. */
export interface SubscribeOptions {
  /** Members of one group share the messages between them. `undefined`: every subscription gets all. */
  readonly group: string | undefined
  /** How many deliveries may be handed out and unfinished at once. */
  readonly maxInWork: number
}
