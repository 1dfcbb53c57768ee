import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

import { BackhaulError } from '../../contract/index.ts'
import type { CloudOrder, CloudReport, CloudSettings, PeerFacts } from './cloud-messages.ts'
import { cloudReportSchema } from './cloud-messages.ts'
import type { Watch } from './watch.ts'

/** How many detections came from one device. */
export interface Received {
  /** With ids of their own. */
  readonly distinct: number
  /** Deliveries of an id that was there already. */
  readonly repeated: number
}

/** Told of each first arrival, and how many there are of that device with it. */
export type OnDetection = (detection: Extract<CloudReport, { report: 'detection' }>, count: number) => void

/** The process that plays the cloud, and what it has told. */
export class CloudProcess {
  readonly #child: ChildProcess
  readonly #watch: Watch
  readonly #onDetection: OnDetection
  readonly #received = new Map<string, Received>()
  /** Answers to commands, by id. */
  readonly replies = new Map<string, Extract<CloudReport, { report: 'reply' }>>()
  /** Its end of the link, once it is subscribed. */
  peer: PeerFacts | undefined
  /** Topics of the messages that it could not read. */
  readonly unreadable: string[] = []
  /** First arrivals that were not in the order of sending. */
  outOfOrder = 0
  /** Why it cannot go on. */
  failure: BackhaulError | undefined

  /** Starts it. */
  constructor(settings: CloudSettings, watch: Watch, onDetection: OnDetection) {
    this.#watch = watch
    this.#onDetection = onDetection
    const script = fileURLToPath(new URL('cloud.js', import.meta.url))
    this.#child = fork(script, [JSON.stringify(settings)], {
      execArgv: [],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    })
    this.#child.on('message', (message) => this.#take(message))
    this.#child.on('error', (cause) => this.#fail(cause.message))
    this.#child.on('exit', (code, signal) => {
      if (code !== 0) this.#fail(`it ended with ${code ?? signal}`)
    })
  }

  /** Its process id. */
  get pid(): number | undefined {
    return this.#child.pid
  }

  /** What came from a device so far. */
  received(device: string): Received {
    return this.#received.get(device) ?? { distinct: 0, repeated: 0 }
  }

  /** Has it do something. */
  order(order: CloudOrder): void {
    if (this.#child.connected) this.#child.send(order)
  }

  /** Ends it; resolves when it is gone. Twice is fine. */
  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null || this.pid === undefined) return
    const gone = once(this.#child, 'exit')
    if (this.#child.connected) this.#child.disconnect()
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 3000)
    await gone
    clearTimeout(timer)
  }

  #take(message: unknown): void {
    const report = cloudReportSchema.safeParse(message).data
    if (report === undefined) return this.#fail('it told something that makes no sense')
    switch (report.report) {
      case 'ready':
        this.peer = report.peer
        break
      case 'detection':
        this.#count(report)
        break
      case 'reply':
        this.replies.set(report.id ?? '', report)
        break
      case 'unreadable':
        this.unreadable.push(report.topic)
        break
      case 'failed':
        this.#fail(report.message)
    }
    this.#watch.notify()
  }

  #count(detection: Extract<CloudReport, { report: 'detection' }>): void {
    const { distinct, repeated } = this.received(detection.device)
    this.#received.set(detection.device, {
      distinct: distinct + (detection.repeated ? 0 : 1),
      repeated: repeated + (detection.repeated ? 1 : 0),
    })
    if (!detection.inOrder) this.outOfOrder += 1
    if (!detection.repeated) this.#onDetection(detection, distinct + 1)
  }

  #fail(why: string): void {
    this.failure ??= new BackhaulError('INTERNAL', `Cannot play the cloud: ${why}, run the demo again`)
    this.#watch.notify()
  }
}
