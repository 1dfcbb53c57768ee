import type { Message } from '../../../contract/index.ts'
import { Ring } from '../../../kit/ring.ts'
import type { KafkaOptions } from '../options.ts'
import type { Handed } from './lane.ts'

/** One topic that is published to. */
export interface Topic {
  /** Its name. */
  readonly name: string
  /** What has not been handed over. */
  readonly waiting: Ring<Handed>
  /** What was handed back, until all of it is. */
  returned: Handed[]
  /** How many are in a lane. */
  inLane: number
  /** The partition of what has no key; `undefined` where it is not known. */
  partition: number | undefined
  /** Whether somebody is asking. */
  isAsked: boolean
  /** Since when its partitions are asked for, on the monotonic clock. */
  askedSinceMs: number | undefined
  /** Whether it goes one message a batch. */
  isCareful: boolean
}

/** A topic of which nothing is known. */
export function newTopic(name: string): Topic {
  return {
    name,
    waiting: new Ring(),
    returned: [],
    inLane: 0,
    partition: undefined,
    isAsked: false,
    askedSinceMs: undefined,
    isCareful: false,
  }
}

/** Whether a message may go to any partition, so that we choose. */
export function hasNoPlace({ key }: Message, { partitioner }: KafkaOptions): boolean {
  if (partitioner === 'consistent_random') return key === undefined || key === ''
  return key === undefined && partitioner.endsWith('_random')
}
