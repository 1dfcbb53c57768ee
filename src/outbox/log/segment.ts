import type { Clock } from '../../contract/index.ts'
import type { FrameCipher } from './cipher.ts'
import type { Disk } from './disk.ts'
import type { RangeSet } from './range-set.ts'

/** When what was written is made safe: before it is reported, every so often, or when the system likes. */
export type Fsync = 'always' | 'interval' | 'never'

/** What all logs of a store share. */
export interface LogContext {
  /** The disk. */
  readonly disk: Disk
  /** The folder of the store. */
  readonly folder: string
  /** Time. */
  readonly clock: Clock
  /** When writes are made safe. */
  readonly fsync: Fsync
  /** A segment ends at about this size. */
  readonly segmentBytes: number
  /** Encrypts and decrypts frames. */
  readonly cipher: FrameCipher | undefined
}

/** One file of a log. */
export interface Segment {
  /** Its file. */
  readonly path: string
  /** Its place among the segments. */
  readonly serial: number
  /** What its frames carry. */
  readonly nonce: number
  /** Its first sequence. */
  readonly first: number
  /** Payload bytes of the log before it; `undefined` when its header was damaged. */
  readonly bytesBefore: number | undefined
  /** Up to here it may be read. */
  size: number
  /** Where some of its frames lie, in order, for those written by this process. */
  readonly index: { readonly first: number; readonly position: number }[]
}

/** How a log stands when it is opened. */
export interface LogState {
  /** Its segments, in order. */
  readonly segments: Segment[]
  /** The number that the next segment gets. */
  readonly nextSerial: number
  /** The sequence that the next record gets. */
  readonly next: number
  /** Payload bytes of the log so far. */
  readonly bytes: number
  /** What is over. */
  readonly acked: RangeSet
  /** Payload bytes of what is not over. */
  readonly pendingBytes: number
}

/** Where the safe part of a log ends. */
export interface LogEnd {
  /** The sequence behind the last safe record. */
  readonly next: number
  /** The segment that it ends in; 0 for none. */
  readonly serial: number
  /** Where in it. */
  readonly position: number
  /** Payload bytes of the log up to there. */
  readonly bytes: number
  /** Payload bytes of what is safe and not over. */
  readonly pendingBytes: number
}
