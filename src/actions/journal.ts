import type { FileHandle } from 'node:fs/promises'
import { mkdir, open, readFile, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import { crc32 } from 'node:zlib'

import type { Command } from '../contract/index.ts'
import { BackhaulError } from '../contract/index.ts'

/*
 * The journal of commands: a file that is only appended to, one line a record, made safe before anyone is told.
 *
 *   crc32 of the rest, 8 hexadecimal digits | space | {"begun": ...} or {"ended": ...} or {"replied": ID} as JSON | LF
 *
 *   (unknown) ── begin() ──▶ begun ── end() ──▶ ended ── replied() ──▶ replied
 *
 * Invariants: an action runs only after its `begun` is safe, so an id that is here is never carried out again. What is begun and not
 * ended when the journal is opened was interrupted. A line that is torn or damaged is passed over. When the file has grown, the latest
 * commands are written to a new one, which takes its place by a rename.
 */

/** What is kept of an answer. */
export type KeptAnswer =
  | { readonly ok: true; readonly result: unknown }
  | { readonly ok: false; readonly code: string; readonly message: string }

/** A command in the journal. */
export interface JournalEntry {
  /** Its id. */
  readonly id: string
  /** Its name. */
  readonly command: string
  /** Where its reply goes: whatever the caller gave. */
  readonly channel: string
  /** The id of the reply's message: the same each time it is sent. */
  readonly replyId: string
  /** What became of it; `undefined` while it runs, or when it was interrupted. */
  answer: KeptAnswer | undefined
  /** Whether the reply was handed over. */
  hasReplied: boolean
}

/** How a journal is opened. */
export interface JournalOptions {
  /** Its file. */
  readonly file: string
  /** How many commands are remembered. @default 1000 */
  readonly maxCommands?: number | undefined
}

/** Remembers commands over a crash. */
export class CommandJournal {
  readonly #file: string
  readonly #maxCommands: number
  readonly #entries = new Map<string, JournalEntry>()
  #handle: FileHandle | undefined
  #lines = 0
  #last: Promise<void> = Promise.resolve()

  private constructor({ file, maxCommands = 1000 }: JournalOptions) {
    this.#file = file
    this.#maxCommands = maxCommands
  }

  /**
   * Opens a journal; its file and folder are made where they are missing.
   *
   * @throws BackhaulError `OUTBOX_FAILED` when the disk does not let it
   */
  static async open(options: JournalOptions): Promise<CommandJournal> {
    const journal = new CommandJournal(options)
    try {
      await mkdir(dirname(options.file), { recursive: true, mode: 0o700 })
      journal.#read(await readFile(options.file, 'utf8').catch(onMissing))
      await journal.#rewrite()
    } catch (error) {
      throw journalError(error)
    }
    return journal
  }

  /** What is known of a command. */
  find(id: string): JournalEntry | undefined {
    return this.#entries.get(id)
  }

  /** The latest command whose id begins so. */
  latest(prefix: string): JournalEntry | undefined {
    let latest: JournalEntry | undefined
    for (const entry of this.#entries.values()) if (entry.id.startsWith(prefix)) latest = entry
    return latest
  }

  /** The commands of a channel whose reply was not handed over, in order. */
  unreplied(channel: string): JournalEntry[] {
    return [...this.#entries.values()].filter((entry) => entry.channel === channel && !entry.hasReplied)
  }

  /**
   * A command is about to be carried out. Resolves when that is safe.
   *
   * @throws BackhaulError `OUTBOX_FAILED`: then it must not be carried out
   */
  async begin({ id, command }: Command, channel: string, replyId: string): Promise<void> {
    const entry = { id, command, channel, replyId, answer: undefined, hasReplied: false }
    this.#entries.set(id, entry)
    try {
      await this.#append({ begun: { id, command, channel, replyId } }, true)
    } catch (error) {
      this.#entries.delete(id)
      throw error
    }
  }

  /** What became of a command. Resolves when that is safe. */
  async end(id: string, answer: KeptAnswer): Promise<void> {
    const entry = this.#entries.get(id)
    if (entry === undefined || entry.answer !== undefined) return
    entry.answer = answer
    await this.#append({ ended: { id, answer } }, true)
  }

  /** Its reply was handed over. It need not be safe: a reply that is sent again has the same id. */
  async replied(id: string): Promise<void> {
    const entry = this.#entries.get(id)
    if (entry === undefined || entry.hasReplied) return
    entry.hasReplied = true
    await this.#append({ replied: id }, false)
    if (this.#lines > this.#maxCommands * 6) await this.#inTurn(() => this.#rewrite())
  }

  /** Ends it; twice is fine. */
  async close(): Promise<void> {
    await this.#last
    const handle = this.#handle
    this.#handle = undefined
    await handle?.close()
  }

  #append(record: object, isSafe: boolean): Promise<void> {
    return this.#inTurn(async () => {
      const handle = this.#handle ?? (await this.#reopen())
      try {
        await handle.appendFile(lineOf(record))
        if (isSafe) await handle.datasync()
        this.#lines += 1
      } catch (error) {
        // a file that failed once is not trusted: the next record begins a new one
        this.#handle = undefined
        await handle.close().catch(() => undefined)
        throw error
      }
    })
  }

  /** Writing is one thing at a time, in order. */
  #inTurn(task: () => Promise<void>): Promise<void> {
    const done = this.#last.then(task).catch((error: unknown) => {
      throw journalError(error)
    })
    this.#last = done.catch(() => undefined)
    return done
  }

  async #reopen(): Promise<FileHandle> {
    await this.#rewrite()
    if (this.#handle === undefined) throw new Error('the journal cannot be opened')
    return this.#handle
  }

  /** Writes the latest commands to a new file, which takes the place of the old one. */
  async #rewrite(): Promise<void> {
    this.#forget()
    const lines = [...this.#entries.values()].flatMap(
      ({ id, command, channel, replyId, answer, hasReplied }) => [
        lineOf({ begun: { id, command, channel, replyId } }),
        ...(answer === undefined ? [] : [lineOf({ ended: { id, answer } })]),
        ...(hasReplied ? [lineOf({ replied: id })] : []),
      ],
    )
    const path = `${this.#file}.new`
    const handle = await open(path, 'w', 0o600)
    try {
      await handle.appendFile(lines.join(''))
      await handle.sync()
      await rename(path, this.#file)
      const folder = await open(dirname(this.#file), 'r')
      try {
        await folder.sync()
      } finally {
        await folder.close()
      }
    } catch (error) {
      await handle.close()
      throw error
    }
    await this.#handle?.close()
    this.#handle = handle
    this.#lines = lines.length
  }

  /** The oldest go that have been replied to. */
  #forget(): void {
    let over = this.#entries.size - this.#maxCommands
    for (const [id, { hasReplied }] of this.#entries) {
      if (over <= 0) return
      if (!hasReplied) continue
      this.#entries.delete(id)
      over -= 1
    }
  }

  #read(text: string): void {
    for (const line of text.split('\n')) {
      const record = recordOf(line)
      if (record === undefined) continue
      if (record.begun !== undefined) {
        this.#entries.set(record.begun.id, { ...record.begun, answer: undefined, hasReplied: false })
      } else if (record.ended !== undefined) {
        const entry = this.#entries.get(record.ended.id)
        if (entry !== undefined) entry.answer = record.ended.answer
      } else if (record.replied !== undefined) {
        const entry = this.#entries.get(record.replied)
        if (entry !== undefined) entry.hasReplied = true
      }
    }
  }
}

interface JournalRecord {
  readonly begun?: Pick<JournalEntry, 'id' | 'command' | 'channel' | 'replyId'>
  readonly ended?: { readonly id: string; readonly answer: KeptAnswer }
  readonly replied?: string
}

function lineOf(record: object): string {
  const json = JSON.stringify(record)
  return `${crc32(json).toString(16).padStart(8, '0')} ${json}\n`
}

function recordOf(line: string): JournalRecord | undefined {
  const json = line.slice(9)
  if (line.length < 10 || Number.parseInt(line.slice(0, 8), 16) !== crc32(json)) return undefined
  return JSON.parse(json)
}

function onMissing(error: unknown): string {
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return ''
  throw error
}

function journalError(error: unknown): BackhaulError {
  if (error instanceof BackhaulError) return error
  return new BackhaulError(
    'OUTBOX_FAILED',
    'Cannot write the journal of commands: its disk failed or is full, check it; no command is carried out until then',
    error,
  )
}
