import { BackhaulError } from '../../contract/index.ts'
import { oneLine } from '../print-error.ts'
import type { Refusal } from './broker-guard.ts'
import { CloudProcess } from './cloud-process.ts'
import { DeviceProcess } from './device-process.ts'
import { startEmbeddedBroker } from './embedded-broker.ts'
import { layLine } from './line.ts'
import type { Cast, Gathering } from './scenario.ts'
import {
  accountsAreCompared,
  commandComesDown,
  detectionsGoUp,
  deviceTrespasses,
  lineIsCut,
  reach,
  strangerComes,
} from './scenario.ts'
import type { Screen } from './screen.ts'
import { CLOUD, DEVICE, NEIGHBOUR, RULES, setStage } from './stage.ts'
import type { TopicRule } from './topic-rules.ts'
import type { Proof } from './verdict.ts'
import { judge } from './verdict.ts'
import { Watch } from './watch.ts'

/** How the demo is run. */
export interface DemoOptions {
  /** Where it is shown. */
  readonly screen: Screen
  /** Ends it. */
  readonly signal: AbortSignal
  /** How long everything up to the verdict may take, in milliseconds. @default 20_000 */
  readonly limitMs?: number
  /** Who may do what at the broker. @default each identity only what is its own */
  readonly rules?: readonly TopicRule[]
  /** Told once the verdict is spoken, while broker and cloud still run. @default nothing more happens */
  readonly afterwards?: (cast: Omit<Cast, 'device'>) => Promise<void>
}

const LONGEST_TIMER_MS = 2 ** 31 - 1

/** A step: its heading, what to look at, and what happens. */
type Step = readonly [heading: string, about: string, play: (cast: Cast, facts: Gathering) => Promise<void>]

const STEPS: readonly Step[] = [
  ['Detections go up', 'each line is one frame of the camera that has come to the cloud', detectionsGoUp],
  ['A command comes down', 'over the same connection, and its answer goes up again', commandComesDown],
  [
    'The line is cut for three seconds',
    'as if somebody pulled the cable between device and broker',
    lineIsCut,
  ],
  ['A stranger comes', "its certificate has the device's name, but another CA has signed it", strangerComes],
  [
    'The device tries what is not its own',
    `with its own, good certificate, at the topics of its neighbour ${NEIGHBOUR}`,
    deviceTrespasses,
  ],
]

/**
 * Plays the whole demo and judges it. Whatever it started is gone when it ends.
 *
 * @throws BackhaulError `INTERNAL` when a proof did not hold; the signal's reason when that aborted before the verdict
 */
export async function runDemo(options: DemoOptions): Promise<void> {
  const closers: (() => Promise<void>)[] = []
  const limit = new AbortController()
  const { limitMs = 20_000 } = options
  const timer = setTimeout(() => limit.abort(tooSlow(limitMs)), limitMs)
  try {
    const signal = AbortSignal.any([options.signal, limit.signal])
    const cast = await castOf(options, signal, closers)
    const proofs = await play(cast, options.signal)
    clearTimeout(timer)
    options.signal.throwIfAborted()
    verdict(proofs, options.screen)
    await options.afterwards?.({ ...cast, signal: options.signal })
  } finally {
    clearTimeout(timer)
    for (const close of closers.toReversed()) await close()
  }
}

/** Starts everybody, in the order in which they need each other. */
async function castOf(
  { screen, rules = RULES }: DemoOptions,
  signal: AbortSignal,
  closers: (() => Promise<void>)[],
): Promise<Cast> {
  const watch = new Watch()
  const refusals: Refusal[] = []
  screen.title(
    'Backhaul: from the edge to the cloud and back',
    'Everything runs on this machine, and nothing of it stays. It takes about ten seconds.',
  )
  const stage = await setStage()
  closers.push(() => stage.close())
  screen.fact(
    'keys',
    `a throw-away CA; certificates for the broker, ${DEVICE} and ${CLOUD}, in ${stage.folder}`,
  )
  const broker = await startEmbeddedBroker({
    listeners: { main: { tls: { ...stage.broker, requireClientCertificate: true } } },
    rules,
    onRefused: (refusal) => {
      refusals.push(refusal)
      watch.notify()
    },
  })
  closers.push(() => broker.close())
  const url = `mqtts://127.0.0.1:${broker.port('main')}`
  screen.fact('broker', `${url}: demands client certificates, each identity has its own topics`)
  const line = await layLine(broker.port('main'))
  closers.push(() => line.close())
  const cloud = new CloudProcess({ url, tls: stage.cloud }, watch, ({ time, people }, count) =>
    screen.arrival(time, people, count),
  )
  closers.push(() => cloud.close())
  await reach({ cloud, watch, signal }, () => cloud.peer !== undefined, 'the cloud is connected')
  screen.fact('cloud', `process ${cloud.pid}: a short script on the library, it takes what all devices send`)
  const device = new DeviceProcess(await stage.writeConfig(line.port), watch)
  closers.push(() => device.close())
  screen.fact(
    'device',
    `process ${device.pid}: "backhaul run edge.yaml", its camera is a recording of a street`,
  )
  return { stage, broker, line, cloud, device, screen, url, refusals, watch, signal }
}

/** Plays the steps until one fails, and compares the accounts in any case. */
async function play(cast: Cast, interrupted: AbortSignal): Promise<Proof[]> {
  const facts: Gathering = {}
  try {
    for (const [heading, about, step] of STEPS) {
      cast.screen.step(heading, about)
      await step(cast, facts)
    }
  } catch (error) {
    interrupted.throwIfAborted()
    cast.screen.failure(error instanceof Error ? oneLine(error.message) : String(error))
  }
  await accountsAreCompared(cast, facts)
  const proofs = judge(facts, DEVICE, CLOUD)
  if (proofs.some(({ held }) => !held))
    cast.screen.log('The last lines of the log of the device', cast.device.log)
  return proofs
}

function verdict(proofs: readonly Proof[], screen: Screen): void {
  screen.heading('What was proven')
  for (const proof of proofs) screen.proof(proof)
  const missing = proofs.filter(({ held }) => !held).map(({ name }) => name)
  if (missing.length === 0) return
  throw new BackhaulError(
    'INTERNAL',
    `Cannot prove everything: ${missing.length} of ${proofs.length} did not hold (${missing.join(', ')}), run it again and report it if it stays so`,
  )
}

/** Has the device run again, until the signal aborts or the time is over. */
export async function goOn(cast: Omit<Cast, 'device'>, durationMs: number | undefined): Promise<void> {
  const { stage, line, watch, cloud, signal } = cast
  const device = new DeviceProcess(await stage.writeConfig(line.port), watch)
  try {
    const over =
      durationMs === undefined ? signal : AbortSignal.any([signal, AbortSignal.timeout(durationMs)])
    const failed = () => cloud.failure !== undefined || device.failure !== undefined
    await watch.until(failed, 'something fails', LONGEST_TIMER_MS, over).catch(() => undefined)
    const failure = cloud.failure ?? device.failure
    if (failure !== undefined && !over.aborted) throw failure
  } finally {
    await device.close()
  }
}

function tooSlow(limitMs: number): BackhaulError {
  return new BackhaulError(
    'TIMEOUT',
    `Cannot show everything in time: ${Math.round(limitMs / 1000)} s have passed, try again on a machine that is less busy`,
  )
}
