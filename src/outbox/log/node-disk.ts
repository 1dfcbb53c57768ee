import fs from 'node:fs'
import { mkdir, readdir, rm, statfs } from 'node:fs/promises'
import { dirname } from 'node:path'

import type { Disk, DiskFile } from './disk.ts'

const FLAGS = { read: 'r', update: fs.constants.O_RDWR | fs.constants.O_CREAT, create: 'wx+' } as const

/** The machine's file system. Nothing here blocks the event loop. */
export const nodeDisk: Disk = {
  async makeFolder(folder) {
    const first = await mkdir(folder, { recursive: true, mode: 0o700 })
    if (first !== undefined) await syncFolder(dirname(first))
  },
  async list(folder) {
    const entries = await readdir(folder, { withFileTypes: true })
    return entries.filter((entry) => entry.isFile()).map(({ name }) => name)
  },
  async open(path, mode) {
    return new NodeFile(await call<number>((done) => fs.open(path, FLAGS[mode], 0o600, done)))
  },
  remove: (path) => rm(path, { force: true }),
  syncFolder,
  async freeBytes(folder) {
    const { bavail, bsize } = await statfs(folder)
    return bavail * bsize
  },
}

class NodeFile implements DiskFile {
  readonly #fd: number
  #closed = false

  constructor(fd: number) {
    this.#fd = fd
  }

  async size(): Promise<number> {
    return (await call<fs.Stats>((done) => fs.fstat(this.#fd, done))).size
  }

  read(target: Uint8Array, offset: number, length: number, position: number): Promise<number> {
    return call((done) => fs.read(this.#fd, target, offset, length, position, done))
  }

  async write(source: Uint8Array, position: number): Promise<void> {
    let at = 0
    while (at < source.byteLength) {
      const from = at
      at += await call<number>((done) =>
        fs.write(this.#fd, source, from, source.byteLength - from, position + from, done),
      )
    }
  }

  sync(): Promise<void> {
    return new Promise((resolve, reject) => {
      fs.fdatasync(this.#fd, (error) => (error === null ? resolve() : reject(error)))
    })
  }

  close(): Promise<void> {
    if (this.#closed) return Promise.resolve()
    this.#closed = true
    return new Promise((resolve) => fs.close(this.#fd, () => resolve()))
  }
}

async function syncFolder(folder: string): Promise<void> {
  const fd = await call<number>((done) => fs.open(folder, 'r', done))
  try {
    await new Promise<void>((resolve, reject) => {
      fs.fsync(fd, (error) => (error === null ? resolve() : reject(error)))
    })
  } finally {
    fs.closeSync(fd)
  }
}

function call<T>(start: (done: (error: Error | null, value: T) => void) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    start((error, value) => (error === null ? resolve(value) : reject(error)))
  })
}
