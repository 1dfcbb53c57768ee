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
  const { signal, deadlineMs } = options
  if (signal?.aborted === true) throw aborted(signal.reason)
  const receipt = new StoredReceipt(message.id)
  if (signal === undefined && deadlineMs === undefined) {
    const safe = pump.add(message, { ...addOptions(options, now), weak: true }, receipt.settled)
    return safe === undefined ? Promise.resolve(receipt) : safe.then(() => receipt)
  }
  return storeInTime(pump, message, options, receipt, now)
}

/** Gives up at the deadline or by the signal; what is not on its way then is withdrawn. */
function storeInTime(
  pump: Pump,
  message: Message,
  options: SendOptions,
  receipt: StoredReceipt,
  now: () => number,
): Promise<Receipt> {
  const { signal, deadlineMs } = options
  const room = new AbortController()
  const ticket = new Ticket()
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
    const fail = (error: unknown) => {
      end()
      reject(error)
    }
    try {
      const how = { ...addOptions(options, now), signal: room.signal, ticket, weak: true }
      const safe = pump.add(message, how, receipt.settled)
      const accepted = () => {
        end()
        resolve(receipt)
      }
      if (safe === undefined) accepted()
      else safe.then(accepted, fail)
    } catch (error) {
      fail(error)
    }
  })
}

/** Resolves once the broker has acknowledged the message. */
export function deliver(
  pump: Pump,
  message: Message,
  options: SendOptions,
  now: () => number,
): Promise<Receipt> {
  if (options.signal === undefined && options.deadlineMs === undefined) {
    return new Promise((resolve, reject) => {
      const accepted = pump.add(message, addOptions(options, now), (error) => {
        if (error === undefined) resolve(new DeliveredReceipt(message.id))
        else reject(error)
      })
      accepted?.catch(reject)
    })
  }
  return deliverInTime(pump, message, options, now)
}

/** Gives up at the deadline or by the signal; what is not on its way then is withdrawn. */
function deliverInTime(
  pump: Pump,
  message: Message,
  options: SendOptions,
  now: () => number,
): Promise<Receipt> {
  const { signal, deadlineMs } = options
  if (signal?.aborted === true) throw aborted(signal.reason)
  const ticket = new Ticket()
  const room = new AbortController()
  return new Promise((resolve, reject) => {
    const finish = (error: unknown) => {
      timer?.cancel()
      signal?.removeEventListener('abort', onAbort)
      if (error === undefined) resolve(new DeliveredReceipt(message.id))
      else reject(error)
    }
    const giveUp = (error: BackhaulError) => {
      pump.withdraw(ticket)
      finish(error)
      room.abort()
    }
    const onAbort = () => giveUp(aborted(signal?.reason))
    const timer =
      deadlineMs === undefined
        ? undefined
        : systemClock.after(deadlineMs, () => giveUp(tooLate(message, ticket.wentOut)))
    signal?.addEventListener('abort', onAbort)
    try {
      const how = { ...addOptions(options, now), ticket, signal: room.signal }
      pump.add(message, how, finish)?.catch(finish)
    } catch (error) {
      finish(error)
    }
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
