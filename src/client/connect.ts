import type { Clock, Status } from '../contract/index.ts'
import { BackhaulError } from '../contract/index.ts'
import { Connection, SharedConnections, signatureOf } from '../connection/index.ts'
import { systemClock } from '../kit/system-clock.ts'
import { ulids } from '../kit/ulid.ts'
import { Pump } from '../outbox/index.ts'
import { Client } from './client.ts'
import type { ConnectionOptionsInput } from './options.ts'
import { outgoing } from './outgoing.ts'
import type { OpenedOutbox } from './outbox.ts'
import { openOutbox } from './outbox.ts'
import type { Target } from './target.ts'
import { resolveTarget } from './target.ts'
import { aborted } from './aborted.ts'

/** What `connect()` can be told beside the address. */
export interface ConnectOptions extends ConnectionOptionsInput {
  /** Gives up waiting for the first link. */
  readonly signal?: AbortSignal | undefined
  /** Where time comes from. @default the machine's own */
  readonly clock?: Clock | undefined
  /** The pause between dials in an outage, in milliseconds, each time the same. @default growing ones of random length */
  readonly retryIntervalMs?: number | undefined
}

/** The connections of this process that were opened with `share: true`: what sharing means needs one place for all. */
const shared = new SharedConnections()

/**
 * Opens a connection to a broker.
 *
 * Waits for the first link, unless `lazy` or with a durable outbox, which takes messages at once; from then on the connection heals by itself and never gives up.
 *
 * @param address - `mqtts://host:port`, `mqtt://`, `wss://`, `ws://` or `memory:name`; options may stand in its query
 * @throws BackhaulError `INVALID_ADDRESS`, `INVALID_OPTIONS`, `PLAINTEXT_CREDENTIALS` at once; the first refusal
 * (`BAD_CREDENTIALS`, `SERVER_UNTRUSTED`, `PASSPHRASE_WRONG`, ...); `UNREACHABLE` or what stood in the way after
 * `connectTimeoutMs`; `ABORTED`; for a durable outbox `OUTBOX_IN_USE`, `OUTBOX_FAILED`, `KEY_INVALID`, `FILE_UNREADABLE`.
 */
export async function connect(address: string, options: ConnectOptions = {}): Promise<Client> {
  const { signal, clock = systemClock, retryIntervalMs, ...input } = options
  if (signal?.aborted === true) throw aborted(signal.reason)
  const target = await resolveTarget(address, input)
  const outbox = await openOutbox(target.options.outbox, clock)
  const { connection, release } = lease(target, clock, retryIntervalMs)
  try {
    // what a durable outbox takes is safe, whether or not a broker is there
    if (!target.options.lazy && outbox.log === undefined) await firstLink(connection, target, signal)
  } catch (error) {
    await release()
    await outbox.log?.close(() => undefined)
    throw error
  }
  return clientOf(target, connection, release, clock, outbox)
}

function lease(
  target: Target,
  clock: Clock,
  retryIntervalMs: number | undefined,
): { connection: Connection; release: () => Promise<void> } {
  const { adaptor, adaptorOptions, credentials, secrets, options } = target
  const make = () =>
    new Connection({
      adaptor,
      options: adaptorOptions,
      credentials,
      clock,
      ...(retryIntervalMs !== undefined && {
        backoff: { minMs: retryIntervalMs, maxMs: retryIntervalMs },
        random: () => 1,
      }),
      ...(options.maxRetries !== undefined && { maxRetries: options.maxRetries }),
    })
  if (!options.share) {
    const connection = make()
    connection.open()
    return { connection, release: () => connection.close() }
  }
  const key = signatureOf(`${adaptor.protocol} ${adaptor.signature(adaptorOptions)}`, secrets)
  const { connection, release } = shared.acquire(key, make)
  connection.open()
  return { connection, release }
}

/** Waits until the first link is there, a refusal comes, or the time is up. */
async function firstLink(
  connection: Connection,
  { display, options: { connectTimeoutMs } }: Target,
  signal: AbortSignal | undefined,
): Promise<void> {
  const timeout = AbortSignal.timeout(connectTimeoutMs)
  const limit = signal === undefined ? timeout : AbortSignal.any([signal, timeout])
  let last: Status = connection.current
  for await (const status of connection.status(limit)) {
    if (status.state === 'connected') return
    if (status.state === 'refused') throw status.error
    if (status.state !== 'connecting') last = status
  }
  if (signal?.aborted === true) throw aborted(signal.reason)
  if ('error' in last) throw last.error
  throw new BackhaulError(
    'UNREACHABLE',
    `Cannot connect to "${display}": nothing answered within ${connectTimeoutMs} ms, check the address, the broker and the firewall`,
  )
}

function clientOf(
  target: Target,
  connection: Connection,
  release: () => Promise<void>,
  clock: Clock,
  { store, log, limits }: OpenedOutbox,
): Client {
  const { adaptor, options } = target
  const pump = new Pump({
    publish: (batch, settle, abort) => connection.publish(batch, settle, abort),
    store,
    clock,
    parkRefused: options.outbox?.parkRefused ?? false,
    limits,
  })
  let { maxPayloadBytes } = adaptor.capabilities
  const unwire = connection.onStatus((status) => {
    if (status.state === 'connected') {
      maxPayloadBytes = status.capabilities.maxPayloadBytes
      pump.linkUp(status.capabilities)
    } else {
      pump.linkDown()
    }
  })
  return new Client({
    connection,
    release,
    pump,
    unwire,
    outgoing: outgoing(
      adaptor,
      ulids(() => clock.now(), log?.lastId),
      options.keyPath,
    ),
    maxPayloadBytes: () => maxPayloadBytes,
    checkTopic: (topic, use) => adaptor.checkTopic(topic, use),
    stores: options.outbox !== undefined,
    log,
    maxAgeMs: options.outbox?.maxAge,
    now: () => clock.now(),
    notes: target.notes,
  })
}
