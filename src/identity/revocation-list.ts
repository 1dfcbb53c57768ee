import { createSecureContext } from 'node:tls'

import { BackhaulError } from '../contract/index.ts'
import type { ReadOptions } from './material.ts'
import { readMaterial, readPem } from './material.ts'

// Certificate revocation lists (RFC 5280): PEM text, or files in PEM or DER, as CAs publish them. Whether one has ended, and
// whether the CA signed it, OpenSSL finds out at each handshake.

/**
 * Reads revocation lists and checks that OpenSSL can.
 *
 * @throws BackhaulError `FILE_UNREADABLE`, `KEY_INVALID`, `ABORTED`.
 */
export async function readRevocationLists(
  crl: string | readonly string[],
  read: ReadOptions,
): Promise<readonly string[]> {
  const lists: string[] = []
  for (const value of typeof crl === 'string' ? [crl] : crl) lists.push(...(await readLists(value, read)))
  return lists
}

async function readLists(value: string, read: ReadOptions): Promise<readonly string[]> {
  if (value.includes('-----BEGIN ')) return listsIn(await readPem('crl', value, read))
  const { bytes, label } = await readMaterial('crl', value, read)
  const isDer = bytes[0] === 0x30
  return listsIn({ text: isDer ? pemOf(bytes) : Buffer.from(bytes).toString('utf8'), label })
}

function listsIn({ text, label }: { readonly text: string; readonly label: string }): readonly string[] {
  // older tools leave the "X509" out, which OpenSSL wants
  const blocks = text
    .replaceAll(/-----(BEGIN|END) CRL-----/g, '-----$1 X509 CRL-----')
    .match(/-----BEGIN X509 CRL-----[^-]*-----END X509 CRL-----/g)
  if (blocks === null) {
    throw new BackhaulError(
      'KEY_INVALID',
      `Cannot use ${label}: it holds no revocation list, give one in DER, or text that begins with -----BEGIN X509 CRL-----`,
    )
  }
  for (const block of blocks) {
    try {
      createSecureContext({ ca: [], crl: block })
    } catch (cause) {
      throw new BackhaulError(
        'KEY_INVALID',
        `Cannot use ${label}: a revocation list in it is damaged, fetch it anew from the CA`,
        cause,
      )
    }
  }
  return blocks
}

function pemOf(der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? []
  return `-----BEGIN X509 CRL-----\n${lines.join('\n')}\n-----END X509 CRL-----\n`
}
