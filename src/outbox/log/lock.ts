import { randomBytes } from 'node:crypto'
import fs from 'node:fs/promises'
import type { Server } from 'node:net'
import { connect, createServer } from 'node:net'
import process from 'node:process'

import { BackhaulError } from '../../contract/index.ts'
import { codeOf } from './scanner.ts'

/*
 * One writer: whoever listens on the socket `lock` in the folder. The kernel ends it with the process, so a crash leaves nothing that
 * stands in the way, and it works across containers that share the volume, since a socket in a folder is found by its file and not
 * by a network.
 *
 * Taking it: listen on a socket of a name of our own, and link it to `lock`, which only one can do. When `lock` is there and nobody answers,
 * its owner is dead: it is moved away, looked at once more, and the link is tried again.
 */

/** A lock that is held. */
export interface Lock {
  /** Lets it go; twice is fine. */
  release(): Promise<void>
}

const TRIES = 20
/** The longest path of a socket that every system takes. */
const MAX_PATH = 100

/**
 * Takes the folder for this process.
 *
 * @throws BackhaulError `OUTBOX_IN_USE`
 */
export async function lockFolder(folder: string): Promise<Lock> {
  const handle = await fs.open(folder, 'r')
  const at = (name: string) => {
    const path = `${folder}/${name}`
    const isShort = Buffer.byteLength(path) < MAX_PATH
    return isShort || process.platform !== 'linux' ? path : `/proc/self/fd/${handle.fd}/${name}`
  }
  const own = `lock-${randomBytes(6).toString('hex')}`
  const server = createServer((socket) => socket.destroy())
  const release = async () => {
    const isOurs = await isSameFile(at(own), at('lock'))
    if (isOurs) await fs.rm(at('lock'), { force: true })
    await close(server)
    await fs.rm(at(own), { force: true })
    await handle.close().catch(() => undefined)
  }
  try {
    await listen(server, at(own))
    await link(at, own)
    return { release: once(release) }
  } catch (error) {
    await release()
    throw error
  }
}

async function link(at: (name: string) => string, own: string): Promise<void> {
  for (let attempt = 0; attempt < TRIES; attempt += 1) {
    try {
      await fs.link(at(own), at('lock'))
      await removeLeftovers(at, own)
      return
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error
    }
    if (await answers(at('lock'))) break
    const aside = `${own}-old`
    try {
      await fs.rename(at('lock'), at(aside))
    } catch (error) {
      if (codeOf(error) === 'ENOENT') continue
      throw error
    }
    // somebody may have been quicker: then what was moved is theirs, and goes back
    if (await answers(at(aside))) await fs.link(at(aside), at('lock')).catch(() => undefined)
    await fs.rm(at(aside), { force: true })
  }
  throw new BackhaulError(
    'OUTBOX_IN_USE',
    'Cannot open the outbox: another process uses its folder, stop it or give each its own folder',
  )
}

/** Sockets that killed processes left. */
async function removeLeftovers(at: (name: string) => string, own: string): Promise<void> {
  const names = await fs.readdir(at('.'))
  for (const name of names) {
    if (!/^lock-[0-9a-f]{12}(-old)?$/.test(name) || name.startsWith(own)) continue
    if (!(await answers(at(name)))) await fs.rm(at(name), { force: true })
  }
}

/** Whether someone listens on a socket. In doubt it is in use. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path)
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', (error) => {
      const code = codeOf(error)
      resolve(code !== 'ECONNREFUSED' && code !== 'ENOENT' && code !== 'ENOTSOCK')
    })
  })
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ path, exclusive: true }, () => {
      server.off('error', reject)
      // a connection that fails concerns only whoever made it
      server.on('error', () => undefined)
      server.unref()
      resolve()
    })
  })
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    if (server.listening) server.close(() => resolve())
    else resolve()
  })
}

async function isSameFile(a: string, b: string): Promise<boolean> {
  try {
    const [first, second] = await Promise.all([fs.lstat(a), fs.lstat(b)])
    return first.ino === second.ino && first.dev === second.dev
  } catch {
    return false
  }
}

function once(task: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | undefined
  return () => (done ??= task())
}
