import type { BackhaulError, Clock, Message, Peer, Settle, SubscribeOptions } from '../../contract/index.ts'
import type { Reader, ReaderWatcher } from './consume/reader.ts'
import type { KafkaOptions } from './options.ts'

/** What publishes over an engine. */
export interface Publisher {
  /** Whether every message has its outcome. */
  readonly isIdle: boolean
  /** Resolves when every message has its outcome, or the link has ended. */
  readonly idle: Promise<void>
  /** See `Link.publish`. The link lives. */
  publish(messages: readonly Message[], settle: Settle, signal: AbortSignal): void
}

/** One driver's way to a cluster: what a link of Kafka stands on. It tells `onLost`, which it was made with, when the link must end. */
export interface Engine {
  /** Options of the link. */
  readonly options: KafkaOptions
  /** Time. */
  readonly clock: Clock
  /** Who is at the other end. */
  readonly peer: Peer
  /** What publishes. */
  readonly publisher: Publisher
  /** Dials; once. */
  dial(signal: AbortSignal): Promise<void>
  /** A subscription that has not begun. */
  reader(topics: readonly string[], options: SubscribeOptions, watcher: ReaderWatcher): Reader
  /** Looks whether something is overdue. Called now and then. */
  look(now: number): void
  /** The link has ended: everything that was published fails, and every connection is given up. */
  end(error: BackhaulError): void
  /** Resolves when nothing of an engine that has ended is left. */
  readonly ended: Promise<void>
}
