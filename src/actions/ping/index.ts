import type { Action, Clock } from '../../contract/index.ts'
import { systemClock } from '../../kit/system-clock.ts'

/** What a ping is answered with. */
export interface PingResult {
  /** The device that answers. */
  readonly deviceId: string
  /** Its clock: ISO 8601 in UTC with milliseconds. */
  readonly time: string
  /** For how long its agent has been running, in seconds. */
  readonly uptimeSeconds: number
  /** The version of Backhaul that it runs. */
  readonly version: string
}

/** What {@link pingAction} needs. */
export interface PingOptions {
  /** The version to report. */
  readonly version: string
  /** Gives the time. @default the machine's clock */
  readonly clock?: Clock
}

/** `ping`: answers with who and how the device is. The uptime counts from this call. */
export function pingAction({ version, clock = systemClock }: PingOptions): Action {
  const startedAt = clock.monotonic()
  return {
    name: 'ping',
    summary: 'Answers with the id, the clock, the uptime and the version of the device',
    run(_command, { deviceId }): Promise<PingResult> {
      return Promise.resolve({
        deviceId,
        time: new Date(clock.now()).toISOString(),
        uptimeSeconds: Math.round((clock.monotonic() - startedAt) / 1000),
        version,
      })
    },
  }
}
