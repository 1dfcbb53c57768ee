import type { Account, Clock } from '../../contract/index.ts'
import type { FrameCipher } from './cipher.ts'
import type { CursorFiles, Totals } from './cursor.ts'
import type { DeadLog } from './dead-log.ts'
import type { Disk } from './disk.ts'
import type { Lock } from './lock.ts'
import type { ParkedHooks, ParkedLog } from './parked-log.ts'
import type { SegmentLog } from './segment-log.ts'
import type { Fsync, LogContext } from './segment.ts'

/** How a log store is opened. */
export interface LogStoreOptions {
  /** The folder. It belongs to this store alone. */
  readonly folder: string
  /** When writes are made safe. @default 'always' */
  readonly fsync?: Fsync | undefined
  /** With `interval`: how often. @default 100 */
  readonly fsyncIntervalMs?: number | undefined
  /** How long a commit waits for company, in milliseconds. @default 0 */
  readonly groupCommitMs?: number | undefined
  /** A segment ends at about this size. @default 16 MiB */
  readonly segmentBytes?: number | undefined
  /** So much of the file system stays free. @default 0 */
  readonly minFreeBytes?: number | undefined
  /** How many bytes of dead letters are kept: the oldest go. @default 16 MiB */
  readonly maxDeadBytes?: number | undefined
  /** Encrypts what is written. @default plain */
  readonly cipher?: FrameCipher | undefined
  /** Time. @default the machine's */
  readonly clock?: Clock | undefined
  /** The disk. @default the machine's */
  readonly disk?: Disk | undefined
  /** Keeps other writers away. @default by a socket in the folder */
  readonly lock?: ((folder: string) => Promise<Lock>) | undefined
}

/** What was found when a store was opened. */
export interface RecoveryReport {
  /** Messages that are pending. */
  readonly pending: number
  /** Messages that were safe, and are lost. */
  readonly damaged: number
  /** Bytes that belong to no valid frame: what a crash left behind. */
  readonly invalidBytes: number
  /** Cursor files that could not be read. */
  readonly damagedCursors: readonly string[]
}

/** What `openLogStore()` found and made. */
export interface LogStoreParts {
  /** What all logs share. */
  readonly context: LogContext
  /** The lanes. */
  readonly lanes: readonly [SegmentLog, SegmentLog, SegmentLog]
  /** The side log. */
  readonly parkedLog: SegmentLog
  /** What is parked. */
  readonly parked: (hooks: ParkedHooks) => ParkedLog
  /** The dead letters. */
  readonly dead: DeadLog
  /** The cursor. */
  readonly cursor: CursorFiles
  /** The counts. */
  readonly totals: Totals
  /** The account. */
  readonly opening: Account
  /** The greatest id so far. */
  readonly lastId: string | undefined
  /** Keeps other writers away; `undefined` on a read-only disk. */
  readonly lock: Lock | undefined
  /** Takes the folder after all. Nothing may be written before. */
  readonly takeFolder: () => Promise<Lock>
  /** What was found. */
  readonly report: RecoveryReport
}
