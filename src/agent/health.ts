import type { Account, Status } from '../contract/index.ts'

/** What an operator should know of a connection even while it works. */
export const HEALTH_FLAGS = [
  'insecure-transport',
  'insecure-skip-verify',
  'insecure-skip-host-name',
  'plaintext-credentials',
  'volatile-outbox',
  'parked-topics',
  'outbox-disk',
] as const
/** One of {@link HEALTH_FLAGS}. */
export type HealthFlag = (typeof HEALTH_FLAGS)[number]

/** What stands in the way, in short. */
export interface HealthError {
  /** The error's code. */
  readonly code: string
  /** What cannot be done, and what mends it. */
  readonly message: string
}

/** A connection as health shows it. */
export interface ConnectionHealth {
  /** Where it stands. */
  readonly state: Status['state']
  /** Who is at the other end, while it is connected. */
  readonly peer: string | undefined
  /** Why it is not connected. */
  readonly error: HealthError | undefined
  /** When it is dialled again: ISO 8601. */
  readonly nextTryAt: string | undefined
  /** Why the disk of its outbox takes nothing now. */
  readonly outboxError: HealthError | undefined
  /** Where every accepted message is. */
  readonly account: Account
  /** What is not as it should be for ever. */
  readonly flags: readonly HealthFlag[]
}

/** An input as health shows it. */
export interface InputHealth {
  /** `reading`; `waiting` for the next try after an error; `ended` at its end; `failed` for good. */
  readonly state: 'reading' | 'waiting' | 'ended' | 'failed'
  /** Lines read. */
  readonly lines: number
  /** Of these, those that could not be read as the input's schema. */
  readonly malformed: number
  /** Lines skipped because they were too long. */
  readonly tooLong: number
  /** Messages made of the lines and accepted by an outbox. */
  readonly accepted: number
  /** Messages that no outbox would take: topic, size, or a full outbox that drops. */
  readonly rejected: number
  /** The last error of the input itself. */
  readonly error: HealthError | undefined
}

/** The commands of one connection as health shows them. */
export interface CommandHealth {
  /** The connection's name. */
  readonly connection: string
  /** Whether the broker has granted the subscription. */
  readonly subscribed: boolean
  /** Commands that came, repeats included. */
  readonly received: number
  /** Replies that an outbox accepted. */
  readonly answered: number
  /** Of these, replies that tell an error. */
  readonly failed: number
  /** Commands that wait, at the broker or in work; `undefined` where the protocol does not tell. */
  readonly lag: number | undefined
  /** Why there is no subscription. */
  readonly error: HealthError | undefined
}

/** The state of an agent as a plain object. */
export interface AgentHealth {
  /** `ok`: every connection is up and nothing is parked or failed. `degraded`: something is not. */
  readonly status: 'ok' | 'degraded' | 'stopped'
  /** The device's id. */
  readonly device: string
  /** The version of Backhaul. */
  readonly version: string
  /** Seconds since the start. */
  readonly uptimeSeconds: number
  /** By name. */
  readonly connections: Readonly<Record<string, ConnectionHealth>>
  /** By name. */
  readonly inputs: Readonly<Record<string, InputHealth>>
  /** In the order of the configuration. */
  readonly commands: readonly CommandHealth[]
}

/** Whether everything is as it should be. */
export function overallStatus(
  health: Pick<AgentHealth, 'connections' | 'inputs' | 'commands'>,
): 'ok' | 'degraded' {
  const fine =
    Object.values(health.connections).every(
      ({ state, account, outboxError }) =>
        state === 'connected' && account.parked === 0 && outboxError === undefined,
    ) &&
    Object.values(health.inputs).every(({ state }) => state === 'reading' || state === 'ended') &&
    health.commands.every(({ subscribed }) => subscribed)
  return fine ? 'ok' : 'degraded'
}
