import { channel } from 'node:diagnostics_channel'

import type { BackhaulError, DropReason, Message, Priority } from '../contract/index.ts'

/** What `backhaul:outbox:dropped` carries: messages that a policy dropped. */
export interface DroppedEvent {
  /** The policy. */
  readonly reason: DropReason
  /** Their class. */
  readonly priority: Priority
  /** How many. */
  readonly messages: number
  /** Their payload bytes. */
  readonly bytes: number
}

/** What `backhaul:outbox:dead` carries: a message that the broker refused for good. */
export interface DeadEvent {
  /** The message. */
  readonly message: Message
  /** Its class. */
  readonly priority: Priority
  /** The refusal. */
  readonly error: BackhaulError
}

/** What `backhaul:outbox:parked` carries: a topic that the broker refuses for now, at each refusal. */
export interface ParkedEvent {
  /** The topic. */
  readonly topic: string
  /** The class whose message was refused. */
  readonly priority: Priority
  /** The refusal. */
  readonly error: BackhaulError
}

/** What `backhaul:outbox:resent` carries: messages of one batch that had been handed to a link before. */
export interface ResentEvent {
  /** How many. */
  readonly messages: number
}

/** What `backhaul:outbox:disk` carries: the disk of a durable outbox failed, or works again. */
export interface DiskEvent {
  /** Why nothing can be written; `undefined` when all is well again. */
  readonly error: BackhaulError | undefined
}

/** Messages were dropped by a policy: {@link DroppedEvent}. */
export const droppedChannel = channel('backhaul:outbox:dropped')
/** A message was refused for good: {@link DeadEvent}. */
export const deadChannel = channel('backhaul:outbox:dead')
/** A topic was refused: {@link ParkedEvent}. */
export const parkedChannel = channel('backhaul:outbox:parked')
/** Messages went out again: {@link ResentEvent}. */
export const resentChannel = channel('backhaul:outbox:resent')
/** The disk failed, or works again: {@link DiskEvent}. */
const diskChannel = channel('backhaul:outbox:disk')

/** Tells how the disk does. */
export function tellDisk(error: BackhaulError | undefined): void {
  if (diskChannel.hasSubscribers) diskChannel.publish({ error } satisfies DiskEvent)
}
