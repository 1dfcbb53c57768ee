import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Writes what librdkafka reads only from files: a PKCS#12 bundle, revocation lists. */
export interface FileWriter {
  /** Writes a file that only we may read; gives its path. */
  write(name: string, content: string | Uint8Array): Promise<string>
}

/**
 * Files for the time of `task`, which hands them to librdkafka: it reads them when a client is made, and they are removed at once.
 */
export async function withFiles<T>(task: (files: FileWriter) => Promise<T>): Promise<T> {
  let folder: string | undefined
  try {
    return await task({
      async write(name, content) {
        folder ??= await mkdtemp(join(tmpdir(), 'backhaul-kafka-'))
        const path = join(folder, name)
        await writeFile(path, content, { mode: 0o600 })
        return path
      },
    })
  } finally {
    if (folder !== undefined) await rm(folder, { recursive: true, force: true })
  }
}
