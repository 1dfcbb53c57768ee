import { crc32 } from 'node:zlib'

import type { Account } from '../../contract/index.ts'
import { BackhaulError } from '../../contract/index.ts'
import type { Disk, DiskFile } from './disk.ts'
import type { LogName } from './format.ts'
import { LOG_NAMES } from './format.ts'
import { RangeSet } from './range-set.ts'
import type { SegmentLog } from './segment-log.ts'
import type { LogEnd } from './segment.ts'

/*
 * The cursor tells what is over in each log, where the safe part of each ended when it was written, and how many messages came to which
 * end. It is kept in two files that are written in turn, each made safe before the other is touched:
 *
 *   magic u32 | crc of 8..length u32 | length u32 | version u32 | the state as JSON
 *
 * A torn one leaves the other, which is one turn older: what was over since then comes again. So a segment is removed only once
 * both files say that its records are over.
 */

const MAGIC = 0x5543_4842
const VERSION = 1
const HEADER_BYTES = 16
const BLOCK_BYTES = 4096
const FILES = ['cursor.0', 'cursor.1'] as const
/** With more ranges than this, some that are over come again after a crash. */
const MAX_RANGES = 20_000

/** How many messages came to which end, since the beginning. */
export interface Totals {
  /** Acknowledged by the broker. */
  delivered: number
  /** Refused for good. */
  dead: number
  /** Dropped, by reason. */
  readonly dropped: Record<keyof Account['dropped'], number>
  /** Handed to a link again. */
  resent: number
}

/** One log in the cursor. */
export interface CursorLog extends LogEnd {
  /** Everything up to here is over. */
  readonly low: number
  /** What is over above it. */
  readonly ranges: readonly (readonly [start: number, end: number])[]
}

/** What the cursor says. */
export interface CursorState {
  /** Counts up with each write. */
  readonly generation: number
  /** The counts. */
  readonly totals: Totals
  /** The greatest id that was given out. */
  readonly lastId: string | undefined
  /** The logs. */
  readonly logs: Readonly<Record<LogName, CursorLog>>
}

/** How a log stands, for the cursor. */
export function cursorLog(log: SegmentLog): CursorLog {
  return { ...log.end, low: log.acked.low, ranges: [...log.acked.ranges()].slice(0, MAX_RANGES) }
}

/** Writes the cursor's files in turn. */
export class CursorFiles {
  readonly #disk: Disk
  readonly #folder: string
  readonly #syncs: boolean
  readonly #open: (DiskFile | undefined)[] = [undefined, undefined]
  #generation: number
  /** What the last two writes say to be over, the latest one first. */
  #written: readonly [Acked, Acked]

  /** Goes on from the generation that was read last. Nothing is known to be in both files. */
  constructor(disk: Disk, folder: string, syncs: boolean, generation: number) {
    this.#disk = disk
    this.#folder = folder
    this.#syncs = syncs
    this.#generation = generation
    this.#written = [NOTHING_ACKED, NOTHING_ACKED]
  }

  /** What both files say to be over in a log. */
  written(name: LogName): readonly [RangeSet, RangeSet] {
    return [this.#written[0][name], this.#written[1][name]]
  }

  /** Writes a state, and makes it safe. A failure leaves the other file. */
  async write(state: Omit<CursorState, 'generation'>): Promise<void> {
    this.#generation += 1
    const turn = this.#generation % 2
    const bytes = encode({ generation: this.#generation, ...state })
    // until it is known to be written, this file says nothing
    this.#written = [this.#written[0], NOTHING_ACKED]
    try {
      let file = this.#open[turn]
      const isNew = file === undefined
      file ??= await this.#disk.open(`${this.#folder}/${FILES[turn] ?? ''}`, 'update')
      this.#open[turn] = file
      await file.write(bytes, 0)
      if (this.#syncs) await file.sync()
      if (this.#syncs && isNew) await this.#disk.syncFolder(this.#folder)
    } catch (error) {
      // the same file again, and not the good one
      this.#generation -= 1
      await this.#open[turn]?.close()
      this.#open[turn] = undefined
      throw error
    }
    this.#written = [ackedOf(state), this.#written[0]]
  }

  /** Ends the files. */
  async close(): Promise<void> {
    for (const file of this.#open) await file?.close()
  }
}

type Acked = Readonly<Record<LogName, RangeSet>>

function ackedOf({ logs }: Pick<CursorState, 'logs'>): Acked {
  const set = (name: LogName) => new RangeSet(logs[name].low, logs[name].ranges)
  return {
    control: set('control'),
    alarm: set('alarm'),
    telemetry: set('telemetry'),
    parked: set('parked'),
    dead: set('dead'),
  }
}

const NOTHING = new RangeSet(-1)
const NOTHING_ACKED: Acked = {
  control: NOTHING,
  alarm: NOTHING,
  telemetry: NOTHING,
  parked: NOTHING,
  dead: NOTHING,
}

/**
 * Reads the latest intact state; `undefined` when there is none.
 *
 * @throws BackhaulError `OUTBOX_FAILED` when a later version wrote it
 */
export async function readCursor(
  disk: Disk,
  folder: string,
  files: readonly string[],
): Promise<{ state: CursorState | undefined; damaged: string[] }> {
  let state: CursorState | undefined
  const damaged: string[] = []
  for (const name of FILES) {
    if (!files.includes(name)) continue
    const found = await readOne(disk, `${folder}/${name}`)
    if (found === undefined) damaged.push(name)
    else if (state === undefined || found.generation > state.generation) state = found
  }
  return { state, damaged }
}

async function readOne(disk: Disk, path: string): Promise<CursorState | undefined> {
  const file = await disk.open(path, 'read')
  try {
    const bytes = Buffer.alloc(await file.size())
    let got = 0
    while (got < bytes.length) {
      const read = await file.read(bytes, got, bytes.length - got, got)
      if (read === 0) break
      got += read
    }
    return decode(bytes.subarray(0, got))
  } finally {
    await file.close()
  }
}

function encode(state: CursorState): Buffer {
  const json = Buffer.from(JSON.stringify(state))
  const length = HEADER_BYTES + json.length
  // whole blocks: a full disk has room for the next one, since it is written over this one
  const bytes = Buffer.alloc(Math.ceil(length / BLOCK_BYTES) * BLOCK_BYTES)
  bytes.writeUInt32LE(MAGIC, 0)
  bytes.writeUInt32LE(length, 8)
  bytes.writeUInt32LE(VERSION, 12)
  json.copy(bytes, HEADER_BYTES)
  bytes.writeUInt32LE(crc32(bytes.subarray(8, length)), 4)
  return bytes
}

function decode(bytes: Buffer): CursorState | undefined {
  if (bytes.length < HEADER_BYTES || bytes.readUInt32LE(0) !== MAGIC) return undefined
  const length = bytes.readUInt32LE(8)
  if (length < HEADER_BYTES || length > bytes.length) return undefined
  if (crc32(bytes.subarray(8, length)) !== bytes.readUInt32LE(4)) return undefined
  if (bytes.readUInt32LE(12) > VERSION) throw newerVersion()
  const state: CursorState = JSON.parse(bytes.toString('utf8', HEADER_BYTES, length))
  return LOG_NAMES.every((name) => state.logs[name] !== undefined) ? state : undefined
}

/** The store was written by a version that knows more. */
export function newerVersion(): BackhaulError {
  return new BackhaulError(
    'OUTBOX_FAILED',
    'Cannot open the outbox: a newer version of Backhaul wrote it, use that version or another folder',
  )
}
