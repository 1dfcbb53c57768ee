import type { BackhaulError } from '../../../contract/index.ts'
import { BackhaulError as Failure } from '../../../contract/index.ts'
import { deferred } from '../../../kit/deferred.ts'
import { aborted, late } from '../errors.ts'
import type { KafkaOptions } from '../options.ts'
import type { LogLine, NativeClient } from './binding.ts'
import { reasonOf } from './native-errors.ts'

/*
 * One client of librdkafka, which heals its connections by itself for ever. Here that ends: when no broker can be reached any more, when
 * one owes an answer for too long, or when the credentials are refused, the link is lost. Why a connection failed stands only in the
 * log, so its lines are read.
 */

/** Who is told. */
export interface ClientWatcher {
  /** The link must end. */
  lost(error: BackhaulError): void
  /** librdkafka has given up this client; `undefined` where nobody can go on. */
  fatal(text: string): void
}

/** Listens to a client; to be called before it connects. */
export function watchClient(
  client: NativeClient,
  address: string,
  options: KafkaOptions,
  watcher: ClientWatcher,
): void {
  let reason: BackhaulError | undefined
  client.on('event.log', ({ fac, message }: LogLine) => {
    reason = reasonOf(message, address) ?? reason
    if (fac === 'REQTMOUT') watcher.lost(late(address, 'answer', options.requestTimeoutMs))
    else if (reason?.code === 'BAD_CREDENTIALS') watcher.lost(reason)
  })
  client.on('event.error', ({ message }: Error) => {
    if (/all broker(s are| connections are) down/i.test(message)) watcher.lost(reason ?? cut(address))
    else if (
      /gap-?less|fenced|fatal|cluster authorization failed|maximum application poll interval/i.test(message)
    )
      watcher.fatal(message)
  })
  // what a token's source says; the connection fails by itself
  client.on('error', () => undefined)
}

/** A client that connects. */
export interface Connecting {
  /** Resolves when it is connected. */
  readonly connected: Promise<void>
  /** Resolves when it is connected or has failed: before that it must not be closed, since that would hold a second thread. */
  readonly over: Promise<void>
}

/** Connects a client that is watched, within a time for which it holds a thread. A failure that the watcher hears of comes first. */
export function connectClient(
  client: NativeClient,
  address: string,
  timeoutMs: number,
  signal: AbortSignal,
): Connecting {
  const over = deferred()
  const connected = new Promise<void>((resolve, reject) => {
    const onAbort = () => reject(aborted(`connect to ${address}`, signal))
    signal.addEventListener('abort', onAbort, { once: true })
    client.connect({ allTopics: false, timeout: timeoutMs }, (error) => {
      signal.removeEventListener('abort', onAbort)
      over.resolve()
      if (error === null || error === undefined) resolve()
      else reject(late(address, 'connect', timeoutMs))
    })
    if (signal.aborted) onAbort()
  })
  return { connected, over: over.promise }
}

function cut(address: string): BackhaulError {
  return new Failure(
    'LINK_LOST',
    `Cannot use the link to ${address}: no broker can be reached any more, it is dialled again by itself`,
  )
}
