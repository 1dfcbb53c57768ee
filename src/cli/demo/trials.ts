import { connect } from '../../client/index.ts'
import { BackhaulError } from '../../contract/index.ts'
import { oneLine } from '../print-error.ts'
import type { Refusal } from './broker-guard.ts'
import type { ClientFiles } from './stage.ts'
import type { DemoFacts } from './verdict.ts'
import type { Watch } from './watch.ts'

/** OpenSSL's names for a certificate whose CA is not trusted. */
const UNTRUSTED: ReadonlySet<string> = new Set([
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_GET_ISSUER_CERT',
  'CERT_SIGNATURE_FAILURE',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'CERT_UNTRUSTED',
])

/** What the trials use of the demo. */
export interface TrialGround {
  /** The broker's own address, past the line. */
  readonly url: string
  /** What the broker has refused so far; it grows. */
  readonly refusals: readonly Refusal[]
  /** Told of each refusal. */
  readonly watch: Watch
  /** Ends the trial. */
  readonly signal: AbortSignal
}

/** Tries to come in with a certificate of another CA. */
export async function tryStranger(
  tls: ClientFiles,
  { url, refusals, signal }: TrialGround,
): Promise<NonNullable<DemoFacts['stranger']> & { readonly told: string | undefined }> {
  const from = refusals.length
  let letIn = false
  let told: string | undefined
  try {
    const client = await connect(url, { tls, connectTimeoutMs: 1500, signal })
    letIn = true
    await client.close({ drainTimeoutMs: 0 })
  } catch (error) {
    signal.throwIfAborted()
    if (error instanceof BackhaulError) told = `${error.code}: ${oneLine(error.message)}`
  }
  const refusal = refusals
    .slice(from)
    .find(({ step, reason }) => step === 'handshake' && UNTRUSTED.has(reason))
  const reason =
    refusal && `refused in the TLS handshake: the broker does not trust its CA (${refusal.reason})`
  return { letIn, reason, told }
}

/** Tries, with the device's own certificate, to write and to listen where only its neighbour may. */
export async function tryTrespass(
  tls: ClientFiles,
  topics: { readonly publish: string; readonly subscribe: string },
  { url, refusals, watch, signal }: TrialGround,
): Promise<{ publishRefused: boolean; subscribeRefused: boolean }> {
  const client = await connect(url, { tls, connectTimeoutMs: 5000, signal })
  try {
    const subscribeRefused = await client.subscribe(topics.subscribe, { signal }).then(
      () => false,
      (error: unknown) => error instanceof BackhaulError && error.code === 'NOT_AUTHORIZED',
    )
    // MQTT 3.1.1 has no answer to a forbidden publish: the broker ends the link, and what it says itself is the witness
    const from = refusals.length
    const isRefused = () =>
      refusals.slice(from).some(({ step, topic }) => step === 'publish' && topic === topics.publish)
    const giveUp = new AbortController()
    const sent = client
      .send({ topic: topics.publish, payload: '{}' }, { signal: giveUp.signal })
      .catch(() => undefined)
    const refused = watch.until(isRefused, 'the broker refuses it', 3000, signal).catch(() => undefined)
    await Promise.race([sent, refused])
    giveUp.abort()
    await sent
    signal.throwIfAborted()
    return { publishRefused: isRefused(), subscribeRefused }
  } finally {
    await client.close({ drainTimeoutMs: 0 })
  }
}
