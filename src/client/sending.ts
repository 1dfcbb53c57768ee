import type { Message, Priority, Receipt } from '../contract/index.ts'
import { BackhaulError } from '../contract/index.ts'
import { systemClock } from '../kit/system-clock.ts'
import type { AddOptions, Pump } from '../outbox/index.ts'
import { Ticket } from '../outbox/index.ts'
import { DeliveredReceipt, StoredReceipt } from './receipt.ts'
import { aborted } from './aborted.ts'

/** How one message is sent. */
export interface SendOptions {
  /** Gives up waiting for safety. What went out by then may still arrive. */
  readonly signal?: AbortSignal | undefined
  /** How long to wait for safety, in milliseconds. @default for ever */
  readonly deadlineMs?: number | undefined
  /** The message's age limit in milliseconds: it is dropped, and counted, when not delivered by then. @default none */
  readonly expiresAfterMs?: number | undefined
  /** Its class of traffic. @default 'telemetry' */
  readonly priority?: Priority | undefined
}

/** Resolves once the outbox holds the message: the receipt learns later what became of it. */
export function store(
  pump: Pump,
  message: Message,
  options: SendOptions,
  now: () => number,
): Promise<Receipt> {
  return inTime(pump, message, options, (limits) => {
    const receipt = new StoredReceipt(message.id)
    const how = { ...addOptions(options, now), ...limits, weak: true }
    const safe = pump.add(message, how, receipt.settled)
    return safe === undefined ? Promise.resolve(receipt) : safe.then(() => receipt)
  })
}

/** Resolves once the broker has acknowledged the message. */
export function deliver(
  pump: Pump,
  message: Message,
  options: SendOptions,
  now: () => number,
): Promise<Receipt> {
  return inTime(
    pump,
    message,
    options,
    (limits) =>
      new Promise((resolve, reject) => {
        const how = { ...addOptions(options, now), ...limits }
        const accepted = pump.add(message, how, (error) => {
          if (error === undefined) resolve(new DeliveredReceipt(message.id))
          else reject(error)
        })
        accepted?.catch(reject)
      }),
  )
}

/**
 * Gives up at the deadline or by the signal; what is not on its way then is withdrawn. Where there is neither it costs
 * nothing.
 */
function inTime(
  pump: Pump,
  message: Message,
  { signal, deadlineMs }: SendOptions,
  send: (limits?: Pick<AddOptions, 'signal' | 'ticket'>) => Promise<Receipt>,
): Promise<Receipt> {
  if (signal === undefined && deadlineMs === undefined) return send()
  if (signal?.aborted === true) throw aborted(signal.reason)
  const ticket = new Ticket()
  const room = new AbortController()
  return new Promise((resolve, reject) => {
    const end = () => {
      timer?.cancel()
      signal?.removeEventListener('abort', onAbort)
    }
    const giveUp = (error: BackhaulError) => {
      end()
      pump.withdraw(ticket)
      reject(error)
      room.abort()
    }
    const onAbort = () => giveUp(aborted(signal?.reason))
    const timer =
      deadlineMs === undefined
        ? undefined
        : systemClock.after(deadlineMs, () => giveUp(tooLate(message, ticket.wentOut)))
    signal?.addEventListener('abort', onAbort)
    // whatever it throws at once is a rejection too
    const sent = new Promise<Receipt>((settle) => settle(send({ signal: room.signal, ticket })))
    sent.finally(end).then(resolve, reject)
  })
}

function addOptions({ priority, expiresAfterMs }: SendOptions, now: () => number): AddOptions {
  return {
    priority,
    expiresAtMs: expiresAfterMs === undefined ? undefined : now() + expiresAfterMs,
  }
}

function tooLate({ topic, id }: Message, wentOut: boolean): BackhaulError {
  return wentOut
    ? new BackhaulError(
        'DELIVERY_UNKNOWN',
        `Cannot tell whether the message to "${topic}" arrived: the deadline passed after it went out, send it again with the id "${id}"`,
      )
    : new BackhaulError(
        'TIMEOUT',
        `Cannot send to "${topic}": the deadline passed before it could go out, send it again`,
      )
}
