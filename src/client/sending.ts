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
export async function store(
  pump: Pump,
  message: Message,
  options: SendOptions,
  now: () => number,
): Promise<Receipt> {
  if (isLimited(options)) {
    return inTime(pump, message, options, (limits) =>
      storeNow(pump, message, addOptions(options, now, limits, true)),
    )
  }
  return storeNow(pump, message, addOptions(options, now, NO_LIMITS, true))
}

/** Resolves once the broker has acknowledged the message. */
export function deliver(
  pump: Pump,
  message: Message,
  options: SendOptions,
  now: () => number,
): Promise<Receipt> {
  if (isLimited(options)) {
    return inTime(pump, message, options, (limits) =>
      deliverNow(pump, message, addOptions(options, now, limits, false)),
    )
  }
  return deliverNow(pump, message, addOptions(options, now, NO_LIMITS, false))
}

async function storeNow(pump: Pump, message: Message, options: AddOptions): Promise<Receipt> {
  const receipt = new StoredReceipt(message.id)
  const safe = pump.add(message, options, receipt.settled)
  if (safe !== undefined) await safe
  return receipt
}

function deliverNow(pump: Pump, message: Message, options: AddOptions): Promise<Receipt> {
  return new Promise((resolve, reject) => {
    const accepted = pump.add(message, options, (error) => {
      if (error === undefined) resolve(new DeliveredReceipt(message.id))
      else reject(error)
    })
    accepted?.catch(reject)
  })
}

type SendLimits = Pick<AddOptions, 'signal' | 'ticket'>
const NO_LIMITS: SendLimits = { signal: undefined, ticket: undefined }

/** Whether someone may give up waiting: where not, nothing is set up for it. */
function isLimited({ signal, deadlineMs }: SendOptions): boolean {
  return signal !== undefined || deadlineMs !== undefined
}

/** Gives up at the deadline or by the signal; what is not on its way then is withdrawn. */
function inTime(
  pump: Pump,
  message: Message,
  { signal, deadlineMs }: SendOptions,
  send: (limits: SendLimits) => Promise<Receipt>,
): Promise<Receipt> {
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
    send({ signal: room.signal, ticket }).finally(end).then(resolve, reject)
  })
}

/** One shape for all messages, spelled out: objects made by spreading are slow to make and slow to read. */
function addOptions(
  { priority, expiresAfterMs }: SendOptions,
  now: () => number,
  { signal, ticket }: SendLimits,
  weak: boolean,
): AddOptions {
  const expiresAtMs = expiresAfterMs === undefined ? undefined : now() + expiresAfterMs
  return { priority, expiresAtMs, signal, ticket, weak }
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
