import { setTimeout as sleep } from 'node:timers/promises'

import type { BackhaulError } from '../../contract/index.ts'
import type { CloudProcess } from './cloud-process.ts'
import type { DeviceProcess } from './device-process.ts'
import type { EmbeddedBroker } from './embedded-broker.ts'
import type { Line } from './line.ts'
import type { Screen } from './screen.ts'
import { DEVICE, NEIGHBOUR } from './stage.ts'
import type { Stage } from './stage.ts'
import type { TrialGround } from './trials.ts'
import { tryStranger, tryTrespass } from './trials.ts'
import type { DemoFacts } from './verdict.ts'

/** How long the line is cut, in milliseconds. */
const CUT_MS = 3000
/** What should take a moment may take so long, in milliseconds: the machine may be a slow one. */
const PATIENCE_MS = 10_000

/** Everything and everybody on the stage. */
export interface Cast extends TrialGround {
  /** Certificates and the temporary folder. */
  readonly stage: Stage
  /** The broker, in this process. */
  readonly broker: EmbeddedBroker<'main'>
  /** The device's line to the broker. */
  readonly line: Line
  /** The cloud, a process of its own. */
  readonly cloud: CloudProcess
  /** The device, a process of its own. */
  readonly device: DeviceProcess
  /** Where it is shown. */
  readonly screen: Screen
}

/** The facts while they are being gathered. */
export type Gathering = { -readonly [Name in keyof DemoFacts]: DemoFacts[Name] }

/** Detections go up. Arrivals are shown by whoever listens to the cloud. */
export async function detectionsGoUp(cast: Cast, facts: Gathering): Promise<void> {
  const { cloud, device, broker, screen } = cast
  screen.showArrivals(true)
  await reach(cast, () => device.links.length > 0, 'the device is connected')
  await reach(cast, () => cloud.received(DEVICE).distinct >= 8, 'detections arrive at the cloud')
  screen.showArrivals(false)
  screen.aside('and so on, five a second')
  facts.device = device.links[0]
  facts.cloud = cloud.peer
  facts.identities = broker.connections().map(({ identity }) => identity)
}

/** A command comes down and is answered. */
export async function commandComesDown(cast: Cast, facts: Gathering): Promise<void> {
  const { cloud, device, screen } = cast
  await reach(cast, () => device.takesCommands, 'the device takes commands')
  const id = 'demo-ping'
  screen.line(`cloud → ${DEVICE}   {"id":"${id}","command":"ping"}`)
  cloud.order({ order: 'ping', id, device: DEVICE })
  await reach(cast, () => cloud.replies.has(id), 'the device answers')
  const reply = cloud.replies.get(id)
  if (reply === undefined) return
  const { ok, device: by, afterMs = 0 } = reply
  facts.ping = { ok, device: by, afterMs }
  screen.line(`${DEVICE} → cloud   ${reply.text}`)
  screen.aside(`answered after ${Math.round(afterMs)} ms`)
}

/** The line is cut, the device goes on, the line is mended, everything that waited arrives. */
export async function lineIsCut(cast: Cast, facts: Gathering): Promise<void> {
  const { cloud, device, line, screen, signal } = cast
  const { lost, links } = device
  const linksBefore = links.length
  const cutAt = performance.now()
  line.cut()
  await reach(cast, () => device.lost > lost, 'the device notices the cut')
  const before = cloud.received(DEVICE).distinct
  screen.line('cut      the device has noticed, and its camera goes on')
  let waited = 0
  for (let second = 1; second <= CUT_MS / 1000; second += 1) {
    await pauseUntil(cutAt + second * 1000, signal)
    waited = (await device.count(signal))?.pending ?? 0
    screen.line(`         ${second} s: ${waited} messages wait in its outbox`)
  }
  const mendedAt = performance.now()
  line.mend()
  await reach(cast, () => device.links.length > linksBefore, 'the device is connected again')
  await reach(cast, () => cloud.received(DEVICE).distinct >= before + waited, 'what waited arrives')
  facts.cut = { forMs: mendedAt - cutAt, waited, healedAfterMs: performance.now() - mendedAt }
  screen.line(`mended   connected again, and all ${waited} have arrived`)
}

/** Somebody comes with a certificate of another CA. */
export async function strangerComes(cast: Cast, facts: Gathering): Promise<void> {
  const { letIn, reason, told } = await tryStranger(cast.stage.stranger, cast)
  facts.stranger = { letIn, reason }
  cast.screen.line(letIn ? 'it was let in' : (reason ?? 'it came to nothing'))
  if (told !== undefined) cast.screen.aside(`it is told ${told}`)
}

/** The device's certificate is used for what is not its own. */
export async function deviceTrespasses(cast: Cast, facts: Gathering): Promise<void> {
  const { cloud, screen } = cast
  const topics = {
    publish: `devices/${NEIGHBOUR}/detections`,
    subscribe: `devices/${NEIGHBOUR}/commands`,
  }
  const { publishRefused, subscribeRefused } = await tryTrespass(cast.stage.device, topics, cast)
  screen.line(`publish to ${topics.publish}      ${publishRefused ? 'refused' : 'not refused'}`)
  screen.line(`subscribe to ${topics.subscribe}      ${subscribeRefused ? 'refused' : 'not refused'}`)
  // whatever had come through by mistake is there before the next detection of the real device
  const before = cloud.received(DEVICE).distinct
  await reach(cast, () => cloud.received(DEVICE).distinct > before, 'the device still sends')
  const arrived =
    cloud.received(NEIGHBOUR).distinct + cloud.unreadable.filter((topic) => topic === topics.publish).length
  facts.trespass = { publishRefused, subscribeRefused, arrived }
}

/** The device is told to stop; what it has sent is compared with what has come. Also when something failed before. */
export async function accountsAreCompared({ cloud, device, watch }: Cast, facts: Gathering): Promise<void> {
  await device.close()
  facts.deviceExit = device.exitCode
  const { account } = device
  if (account !== undefined) {
    const { detections, accepted, delivered, pending, dead, dropped } = account
    const notDelivered = Object.values(dropped).reduce((sum, count) => sum + count, pending + dead)
    facts.sent = { detections, accepted, delivered, notDelivered }
    const allThere = () => cloud.received(DEVICE).distinct >= detections
    // the verdict says so when they do not come
    await watch.until(allThere, 'all arrive', 2000, new AbortController().signal).catch(() => undefined)
  }
  const { distinct, repeated } = cloud.received(DEVICE)
  const { outOfOrder, unreadable } = cloud
  facts.received = { distinct, repeated, outOfOrder, unreadable: unreadable.length }
}

/** Waits until something is so, or until a process of the demo has failed. */
export async function reach(
  cast: Pick<Cast, 'cloud' | 'watch' | 'signal'> & { readonly device?: DeviceProcess },
  holds: () => boolean,
  what: string,
): Promise<void> {
  const failure = (): BackhaulError | undefined => cast.cloud.failure ?? cast.device?.failure
  await cast.watch.until(() => holds() || failure() !== undefined, what, PATIENCE_MS, cast.signal)
  const failed = failure()
  if (failed !== undefined) throw failed
}

async function pauseUntil(at: number, signal: AbortSignal): Promise<void> {
  await sleep(Math.max(0, at - performance.now()), undefined, { signal })
}
