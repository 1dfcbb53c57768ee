import type { KeyObject } from 'node:crypto'
import { createCipheriv, createDecipheriv, createHash, createSecretKey, randomBytes } from 'node:crypto'

import { BackhaulError } from '../../contract/index.ts'

/*
 * Encryption at rest: AES-256-GCM, one nonce a frame. The body of an encrypted frame is
 *
 *   key id 8 B | nonce 12 B | tag 16 B | the records, encrypted
 *
 * The frame's count, flags and first sequence are authenticated with it, so that a frame cannot stand for another. The key id is
 * the beginning of the SHA-256 of the key. The key file holds one key a line, as 64 hexadecimal digits: the first one encrypts,
 * all of them decrypt. To rotate, put a new key first; the old line may go when `backhaul outbox stat` no longer names its id.
 */

const KEY_ID_BYTES = 8
const NONCE_BYTES = 12
const TAG_BYTES = 16
/** What encryption adds to a frame. */
export const CIPHER_OVERHEAD_BYTES = KEY_ID_BYTES + NONCE_BYTES + TAG_BYTES

/** The keys of an encrypted outbox. */
export class FrameCipher {
  readonly #keys = new Map<string, KeyObject>()
  readonly #currentId: Buffer
  readonly #current: KeyObject

  /**
   * @param text - what the key file holds
   * @throws BackhaulError `KEY_INVALID`
   */
  constructor(text: string) {
    const lines = text.split('\n').map((line) => line.trim())
    const keys = lines.filter((line) => line !== '' && !line.startsWith('#'))
    for (const line of keys) {
      if (!/^[0-9a-f]{64}$/i.test(line)) throw invalid('a line is not 64 hexadecimal digits')
      const bytes = Buffer.from(line, 'hex')
      this.#keys.set(idOf(bytes).toString('hex'), createSecretKey(bytes))
    }
    const first = keys[0]
    if (first === undefined) throw invalid('it holds no key')
    const bytes = Buffer.from(first, 'hex')
    this.#currentId = idOf(bytes)
    this.#current = createSecretKey(bytes)
  }

  /** Encrypts the records of a frame where they lie: at `body + CIPHER_OVERHEAD_BYTES` up to `end`. */
  seal(bytes: Buffer, header: Buffer, body: number, end: number): void {
    const nonce = randomBytes(NONCE_BYTES)
    const cipher = createCipheriv('aes-256-gcm', this.#current, nonce)
    cipher.setAAD(header)
    const at = body + CIPHER_OVERHEAD_BYTES
    bytes.set(cipher.update(bytes.subarray(at, end)), at)
    cipher.final()
    bytes.set(this.#currentId, body)
    bytes.set(nonce, body + KEY_ID_BYTES)
    bytes.set(cipher.getAuthTag(), body + KEY_ID_BYTES + NONCE_BYTES)
  }

  /** Decrypts the body of a frame; `undefined` when it was altered, or its key is not here. */
  open(header: Buffer, body: Buffer): Buffer | undefined {
    const key = this.#keys.get(keyIdOf(body))
    if (key === undefined || body.length < CIPHER_OVERHEAD_BYTES) return undefined
    const nonce = body.subarray(KEY_ID_BYTES, KEY_ID_BYTES + NONCE_BYTES)
    const decipher = createDecipheriv('aes-256-gcm', key, nonce)
    decipher.setAAD(header)
    decipher.setAuthTag(body.subarray(KEY_ID_BYTES + NONCE_BYTES, CIPHER_OVERHEAD_BYTES))
    try {
      const records = decipher.update(body.subarray(CIPHER_OVERHEAD_BYTES))
      decipher.final()
      return records
    } catch {
      return undefined
    }
  }

  /** Whether the key of an encrypted frame is here. */
  knows(body: Buffer): boolean {
    return this.#keys.has(keyIdOf(body))
  }
}

/** The id of the key that a frame was encrypted with. */
export function keyIdOf(body: Buffer): string {
  return body.toString('hex', 0, KEY_ID_BYTES)
}

function idOf(key: Buffer): Buffer {
  return createHash('sha256').update(key).digest().subarray(0, KEY_ID_BYTES)
}

function invalid(why: string): BackhaulError {
  return new BackhaulError(
    'KEY_INVALID',
    `Cannot use the key file of the outbox: ${why}, write one key a line as 64 hexadecimal digits`,
  )
}
