import { BackhaulError } from '../../contract/index.ts'
import { keyIdOf } from './cipher.ts'
import { ENCRYPTED, FRAME_HEADER_BYTES, parseSegmentFile, SEGMENT_HEADER_BYTES } from './format.ts'
import type { LogContext } from './segment.ts'

/**
 * Checks that the key of every encrypted segment is there: a segment has one key, that of the process that wrote it.
 *
 * @throws BackhaulError `KEY_INVALID`
 */
export async function checkKeys(
  context: Pick<LogContext, 'disk' | 'folder' | 'cipher'>,
  files: readonly string[],
): Promise<void> {
  for (const id of await keyIds(context, files)) {
    if (context.cipher?.knows(Buffer.from(id, 'hex')) === true) continue
    throw new BackhaulError(
      'KEY_INVALID',
      `Cannot open the outbox: it is encrypted with the key "${id}", which is not in the key file, put it back there`,
    )
  }
}

/** The ids of the keys that the segments are encrypted with. */
export async function keyIds(
  { disk, folder }: Pick<LogContext, 'disk' | 'folder'>,
  files: readonly string[],
): Promise<Set<string>> {
  const ids = new Set<string>()
  const bytes = Buffer.alloc(FRAME_HEADER_BYTES + 8)
  for (const name of files) {
    if (parseSegmentFile(name) === undefined) continue
    const file = await disk.open(`${folder}/${name}`, 'read')
    try {
      const got = await file.read(bytes, 0, bytes.length, SEGMENT_HEADER_BYTES).catch(() => 0)
      const isFrame = got === bytes.length && bytes.toString('latin1', 0, 4) === 'BHFR'
      if (isFrame && bytes.readUInt32LE(20) === ENCRYPTED)
        ids.add(keyIdOf(bytes.subarray(FRAME_HEADER_BYTES)))
    } finally {
      await file.close()
    }
  }
  return ids
}
