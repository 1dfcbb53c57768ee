import { setImmediate as turn } from 'node:timers/promises'

import type { Disk, DiskFile } from '../../../src/outbox/log/disk.ts'

const SECTOR = 512

/** A file's bytes as they are read, and as they are safe. */
interface Inode {
  data: Buffer
  safe: Buffer
  /** Writes since the last sync, in order. */
  unsafe: { readonly position: number; readonly bytes: Buffer }[]
}

type NameChange = { readonly name: string; readonly inode: Inode | undefined }

/** What can go wrong with one call. */
export interface Fault {
  readonly call: 'read' | 'write' | 'sync' | 'create' | 'syncFolder'
  readonly code: string
}

/**
 * A disk in memory that promises no more than {@link Disk} says: a power cut keeps any sectors of what was not synced, and any
 * of the names that were not.
 */
export class SimDisk implements Disk {
  #names = new Map<string, Inode>()
  #safeNames = new Map<string, Inode>()
  #nameChanges: NameChange[] = []
  /** Whether the power was cut: a call that had begun comes to nothing. */
  #isGone = false
  /** After so many calls more the power is cut: every later call fails. */
  callsLeft = Infinity
  /** How many bytes all files may take. */
  capacity = Infinity
  /** Every change fails with `EROFS`. */
  isReadOnly = false
  /** So many turns of the event loop a sync takes: other calls come and go meanwhile, and it says nothing of them. */
  syncTurns = 0
  /** Taken off one by one, as the calls come. */
  readonly faults: Fault[] = []
  /** Calls of `sync()` and `syncFolder()` that succeeded. */
  syncs = 0

  get hasPower(): boolean {
    return this.callsLeft > 0
  }

  get bytes(): number {
    let sum = 0
    for (const { data } of this.#names.values()) sum += data.length
    return sum
  }

  get files(): ReadonlyMap<string, Inode> {
    return this.#names
  }

  async makeFolder(): Promise<void> {
    await this.#enter()
  }

  async list(): Promise<string[]> {
    await this.#enter()
    return [...this.#names.keys()].map((path) => path.slice(path.lastIndexOf('/') + 1))
  }

  async open(path: string, mode: 'read' | 'update' | 'create'): Promise<DiskFile> {
    await this.#enter(mode === 'create' ? 'create' : undefined)
    this.#mustBeThere()
    let inode = this.#names.get(path)
    if (mode === 'create' && inode !== undefined) throw failure('EEXIST')
    if (mode === 'read' && inode === undefined) throw failure('ENOENT')
    if (mode !== 'read' && this.isReadOnly) throw failure('EROFS')
    if (inode === undefined) {
      inode = { data: Buffer.alloc(0), safe: Buffer.alloc(0), unsafe: [] }
      this.#names.set(path, inode)
      this.#nameChanges.push({ name: path, inode })
    }
    return this.#file(inode)
  }

  async remove(path: string): Promise<void> {
    await this.#enter()
    this.#mustBeThere()
    if (this.isReadOnly) throw failure('EROFS')
    if (this.#names.delete(path)) this.#nameChanges.push({ name: path, inode: undefined })
  }

  async syncFolder(): Promise<void> {
    await this.#enter('syncFolder')
    this.#mustBeThere()
    this.#safeNames = new Map(this.#names)
    this.#nameChanges = []
    this.syncs += 1
  }

  async freeBytes(): Promise<number> {
    await this.#enter()
    return this.capacity - this.bytes
  }

  /** The disk as it is after a power cut. `chance` gives 0 to 1. */
  afterPowerCut(chance: () => number): SimDisk {
    this.#isGone = true
    const disk = new SimDisk()
    const names = new Map(this.#safeNames)
    for (const { name, inode } of this.#nameChanges) {
      if (chance() < 0.5) continue
      if (inode === undefined) names.delete(name)
      else names.set(name, inode)
    }
    for (const [name, inode] of names) {
      const data = remains(inode, chance)
      const copy = { data, safe: data, unsafe: [] }
      disk.#names.set(name, copy)
      disk.#safeNames.set(name, copy)
    }
    return disk
  }

  /** The disk as a killed process leaves it: nothing is lost, nothing more is safe. */
  afterKill(): SimDisk {
    this.#isGone = true
    const disk = new SimDisk()
    disk.#names = new Map(this.#names)
    disk.#safeNames = new Map(this.#safeNames)
    disk.#nameChanges = [...this.#nameChanges]
    return disk
  }

  /** Changes one byte of a file. */
  flip(name: string, position: number): void {
    const inode = this.#names.get(name)
    if (inode === undefined) throw new Error(`there is no ${name}`)
    inode.data[position] = (inode.data[position] ?? 0) ^ 0x55
  }

  /** A copy of the bytes, all of them safe. */
  copy(): SimDisk {
    const disk = new SimDisk()
    for (const [name, { data }] of this.#names) {
      const inode = { data: Buffer.from(data), safe: Buffer.from(data), unsafe: [] }
      disk.#names.set(name, inode)
      disk.#safeNames.set(name, inode)
    }
    return disk
  }

  #file(inode: Inode): DiskFile {
    return {
      size: async () => {
        await this.#enter()
        return inode.data.length
      },
      read: async (target, offset, length, position) => {
        await this.#enter('read')
        const bytes = inode.data.subarray(position, position + length)
        target.set(bytes, offset)
        return bytes.length
      },
      write: async (source, position) => {
        await this.#enter('write')
        this.#mustBeThere()
        if (this.isReadOnly) throw failure('EROFS')
        const grows = Math.max(0, position + source.byteLength - inode.data.length)
        const over = this.bytes + grows - this.capacity
        write(inode, position, Buffer.from(over > 0 ? source.subarray(0, -over) : source))
        if (over > 0) throw failure('ENOSPC')
      },
      sync: async () => {
        const writes = inode.unsafe.length
        try {
          await this.#enter('sync')
          for (let n = 0; n < this.syncTurns; n += 1) await turn()
          this.#mustBeThere()
          if (!this.hasPower) throw failure('EIO')
        } catch (error) {
          // the system gives the pages up: a later success says nothing about them
          if (this.hasPower) inode.unsafe = inode.unsafe.slice(writes)
          throw error
        }
        if (writes > 0) inode.safe = applied(inode.safe, inode.unsafe.slice(0, writes))
        inode.unsafe = inode.unsafe.slice(writes)
        this.syncs += 1
      },
      close: async () => {
        // nothing to do
      },
    }
  }

  #mustBeThere(): void {
    if (this.#isGone) throw failure('EIO')
  }

  async #enter(call?: Fault['call']): Promise<void> {
    await Promise.resolve()
    if (this.callsLeft <= 0) throw failure('EIO')
    this.callsLeft -= 1
    const [fault] = this.faults
    if (fault === undefined || fault.call !== call) return
    this.faults.shift()
    throw failure(fault.code)
  }
}

function write(inode: Inode, position: number, bytes: Buffer): void {
  inode.unsafe.push({ position, bytes })
  inode.data = applied(inode.data, [{ position, bytes }])
}

function applied(data: Buffer, writes: Inode['unsafe']): Buffer {
  const size = Math.max(data.length, ...writes.map(({ position, bytes }) => position + bytes.length))
  const result = Buffer.alloc(size)
  data.copy(result)
  for (const { position, bytes } of writes) bytes.copy(result, position)
  return result
}

/** Some sectors of what was not synced are there, some are not, and the size is that of the last one that is. */
function remains(inode: Inode, chance: () => number): Buffer {
  const kept: { position: number; bytes: Buffer }[] = []
  const share = chance()
  for (const { position, bytes } of inode.unsafe) {
    for (let at = 0; at < bytes.length;) {
      const length = Math.min(SECTOR - ((position + at) % SECTOR), bytes.length - at)
      if (chance() < share) kept.push({ position: position + at, bytes: bytes.subarray(at, at + length) })
      at += length
    }
  }
  return applied(inode.safe, kept)
}

function failure(code: string): Error {
  return Object.assign(new Error(`${code}: simulated`), { code })
}
