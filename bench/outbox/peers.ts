import { mkdirSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'

import type { Fsync } from '../../src/outbox/index.ts'

// SQLite and LMDB, to be measured beside the outbox. They live in a package of their own (bench/package.json), which nothing else
// needs: `npm ci --prefix bench` installs them.

/** A store that takes batches. */
export interface Peer {
  /** Its name. */
  readonly name: string
  /** Adds a batch, and resolves once it is as safe as was asked for. */
  append(payload: Uint8Array, count: number): Promise<void> | void
  /** Reads and removes up to so many from the front; gives how many. */
  take(count: number): Promise<number> | number
  /** Ends it. */
  close(): Promise<void> | void
}

/** Opens a peer in a folder. */
export type OpenPeer = (folder: string, fsync: Fsync) => Peer

interface Statement {
  run(...values: unknown[]): unknown
  all(...values: unknown[]): { readonly id: number; readonly payload: Uint8Array }[]
}

interface Sqlite {
  pragma(text: string): unknown
  exec(text: string): unknown
  prepare(text: string): Statement
  close(): void
}

type SqliteConstructor = new (file: string) => Sqlite

interface Lmdb {
  put(key: number, value: Uint8Array): Promise<boolean>
  remove(key: number): Promise<boolean>
  getRange(options: { limit: number }): Iterable<{ readonly key: number; readonly value: Uint8Array }>
  readonly flushed: Promise<unknown>
  readonly committed: Promise<unknown>
  close(): Promise<void>
}

type OpenLmdb = (options: Record<string, unknown>) => Lmdb

/** The peers that are installed; for the others it says what to run. */
export function peers(): OpenPeer[] {
  const load = createRequire(new URL('../../../bench/package.json', import.meta.url))
  const found: OpenPeer[] = []
  try {
    const Database: SqliteConstructor = load('better-sqlite3')
    found.push((folder, fsync) => sqlite(Database, folder, fsync))
    const { open }: { readonly open: OpenLmdb } = load('lmdb')
    found.push((folder, fsync) => lmdb(open, folder, fsync))
  } catch {
    console.log('SQLite and LMDB are not measured: they are not installed, run npm ci --prefix bench')
  }
  return found
}

/** WAL; `synchronous` is FULL for `always`, NORMAL for `interval`, OFF for `never`. One transaction a batch, one row a message. */
function sqlite(Database: SqliteConstructor, folder: string, fsync: Fsync): Peer {
  mkdirSync(folder, { recursive: true })
  const db = new Database(join(folder, 'db'))
  db.pragma('journal_mode = WAL')
  db.pragma(`synchronous = ${{ always: 'FULL', interval: 'NORMAL', never: 'OFF' }[fsync]}`)
  db.exec('CREATE TABLE messages (id INTEGER PRIMARY KEY, topic TEXT, payload BLOB)')
  const insert = db.prepare('INSERT INTO messages (topic, payload) VALUES (?, ?)')
  const read = db.prepare('SELECT id, payload FROM messages ORDER BY id LIMIT ?')
  const remove = db.prepare('DELETE FROM messages WHERE id <= ?')
  return {
    name: 'sqlite',
    append(payload, count) {
      db.exec('BEGIN')
      for (let n = 0; n < count; n += 1) insert.run('cameras/gate-7/detections', payload)
      db.exec('COMMIT')
    },
    take(count) {
      const rows = read.all(count)
      remove.run(rows.at(-1)?.id ?? 0)
      return rows.length
    },
    close() {
      db.close()
      rmSync(folder, { recursive: true })
    },
  }
}

/** `always` waits until it is flushed, `interval` until it is committed (it is flushed behind), `never` does not flush. */
function lmdb(open: OpenLmdb, folder: string, fsync: Fsync): Peer {
  const db = open({ path: folder, encoding: 'binary', noSync: fsync === 'never' })
  let next = 0
  return {
    name: 'lmdb',
    async append(payload, count) {
      let last: Promise<unknown> = Promise.resolve()
      for (let n = 0; n < count; n += 1) last = db.put((next += 1), payload)
      await last
      if (fsync === 'always') await db.flushed
    },
    async take(count) {
      let taken = 0
      let last: Promise<unknown> = Promise.resolve()
      for (const { key } of db.getRange({ limit: count })) {
        last = db.remove(key)
        taken += 1
      }
      await last
      return taken
    },
    async close() {
      await db.close()
      rmSync(folder, { recursive: true })
    },
  }
}
