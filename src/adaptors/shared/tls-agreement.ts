import type { TlsSettings } from '../../contract/index.ts'
import { BackhaulError } from '../../contract/index.ts'

/**
 * Checks that the TLS settings of a dial are there exactly when its address is encrypted: neither is ever ignored.
 *
 * @param scheme - of the address
 * @param secure - whether that scheme is encrypted
 * @param secureScheme - the encrypted one of its kind, for the advice
 * @throws BackhaulError `INVALID_OPTIONS`
 */
export function checkTlsAgrees(
  scheme: string,
  secure: boolean,
  tls: TlsSettings | undefined,
  secureScheme: string,
): void {
  if (secure === (tls !== undefined)) return
  const fix = secure ? 'give TLS settings' : `use ${secureScheme}://`
  throw new BackhaulError(
    'INVALID_OPTIONS',
    `Cannot dial ${scheme}://: the address and the TLS settings contradict each other, ${fix}`,
  )
}
