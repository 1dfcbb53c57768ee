import { readFile, stat } from 'node:fs/promises'
import { resolve } from 'node:path'

import type { ErrorCode } from '../contract/index.ts'
import { BackhaulError } from '../contract/index.ts'

// Where key material comes from. An option holds PEM text or a path; what is neither may be a secret that was put in
// the wrong place (a key without its PEM frame, a passphrase where its file belongs), so that only what looks like a
// path is ever repeated in an error.

/** No certificate, key or bundle comes near it; it keeps a wrong path from filling the memory. */
const MAX_BYTES = 1024 ** 2

/** An option that names key material. */
export type MaterialOption = 'ca' | 'cert' | 'key' | 'pfx' | 'crl'

const NOUNS: Readonly<Record<MaterialOption, string>> = {
  ca: 'CA certificate',
  cert: 'client certificate',
  key: 'private key',
  pfx: 'PKCS#12 file',
  crl: 'revocation list',
}

/** PEM text, and what to call it in messages. */
export interface PemMaterial {
  /** The text. A secret where it is a key. */
  readonly text: string
  /** For example `the client certificate "/etc/edge.pem"`. Holds no secret. */
  readonly label: string
}

/** Bytes of a file, and what to call it in messages. */
export interface FileMaterial {
  /** The content. */
  readonly bytes: Uint8Array
  /** For example `the PKCS#12 file "/etc/edge.p12"`. */
  readonly label: string
}

/** Where relative paths start, and when to give up. */
export interface ReadOptions {
  /** Folder that relative paths start from. */
  readonly baseFolder: string
  /** Aborted when nobody waits any more. */
  readonly signal: AbortSignal
}

/**
 * Takes PEM text as it is, or reads it from the file named.
 *
 * @throws BackhaulError `FILE_UNREADABLE`, `KEY_INVALID`, `ABORTED`.
 */
export async function readPem(
  option: Exclude<MaterialOption, 'pfx'>,
  value: string,
  options: ReadOptions,
): Promise<PemMaterial> {
  const noun = NOUNS[option]
  if (value.includes('-----BEGIN ')) return { text: value, label: `the ${noun} given as text` }
  if (!looksLikePath(value)) {
    throw new BackhaulError(
      'KEY_INVALID',
      `Cannot use the ${noun}: "${option}" is neither PEM text nor the path of a file, give text that begins with -----BEGIN or a path`,
    )
  }
  const { bytes, label } = await readMaterial(option, value, options)
  return { text: Buffer.from(bytes).toString('utf8'), label }
}

/**
 * Reads a file of key material.
 *
 * @throws BackhaulError `FILE_UNREADABLE`, `KEY_INVALID` (too large to be one), `ABORTED`.
 */
export async function readMaterial(
  option: MaterialOption,
  path: string,
  { baseFolder, signal }: ReadOptions,
): Promise<FileMaterial> {
  const shown = looksLikePath(path)
  const label = shown ? `the ${NOUNS[option]} "${resolve(baseFolder, path)}"` : `the ${NOUNS[option]}`
  const bytes = await readBytes(
    path,
    { baseFolder, signal },
    { label, option, shown, tooLarge: 'KEY_INVALID' },
  )
  return { bytes, label }
}

/**
 * Reads a secret: the first line of a file, without its line end.
 *
 * @throws BackhaulError `FILE_UNREADABLE` (also when that line is empty), `ABORTED`.
 */
export async function readSecret(
  option: 'passphraseFile' | 'passwordFile',
  path: string,
  { baseFolder, signal }: ReadOptions,
): Promise<string> {
  // a word without a folder may be the secret itself
  const shown = path.includes('/') && looksLikePath(path)
  const label = shown
    ? `the file "${resolve(baseFolder, path)}" of "${option}"`
    : `the file in "${baseFolder}" that "${option}" names`
  const bytes = await readBytes(
    path,
    { baseFolder, signal },
    { label, option, shown, tooLarge: 'FILE_UNREADABLE' },
  )
  const secret = Buffer.from(bytes)
    .toString('utf8')
    .replace(/\r?\n[^]*$/, '')
  if (secret === '') {
    throw new BackhaulError(
      'FILE_UNREADABLE',
      `Cannot use ${label}: its first line is empty, write the secret there`,
    )
  }
  return secret
}

interface Naming {
  readonly label: string
  readonly option: string
  /** Whether the path may be repeated; an error of Node's repeats it. */
  readonly shown: boolean
  readonly tooLarge: ErrorCode
}

async function readBytes(
  path: string,
  { baseFolder, signal }: ReadOptions,
  naming: Naming,
): Promise<Uint8Array> {
  const file = resolve(baseFolder, path)
  try {
    const { size } = await stat(file)
    if (size > MAX_BYTES) {
      throw new BackhaulError(
        naming.tooLarge,
        `Cannot use ${naming.label}: it is larger than ${MAX_BYTES} bytes, check that "${naming.option}" names the right file`,
      )
    }
    return await readFile(file, { signal })
  } catch (cause) {
    if (cause instanceof BackhaulError) throw cause
    signal.throwIfAborted()
    const code = codeOf(cause)
    throw new BackhaulError(
      'FILE_UNREADABLE',
      `Cannot read ${naming.label}: ${STATES[code] ?? `the system says ${code}, check the path and its permissions`}`,
      naming.shown ? cause : undefined,
    )
  }
}

const STATES: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file, check the path',
  ENOTDIR: 'there is no such file, check the path',
  EISDIR: 'it is a folder, name the file in it',
  EACCES: 'permission is denied, let the user that runs this read it',
  EPERM: 'permission is denied, let the user that runs this read it',
}

function codeOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : 'no reason'
}

/** One line, no longer than a path can be, and not the bare base 64 of a key. */
function looksLikePath(value: string): boolean {
  return value.length < 4096 && !/[\r\n\0]/.test(value) && !/^[A-Za-z0-9+/=\s]{64,}$/.test(value)
}
