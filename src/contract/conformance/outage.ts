import assert from 'node:assert/strict'

import type { Behaviour, Need } from './behaviour.ts'
import { behaviour, can, durable, faults } from './behaviour.ts'
import { DurableReader } from './durability.ts'
import { checkLoad, numbered, Receiver, Sender } from './load.ts'
import type { Scope } from './scope.ts'
import { checkDelivered } from './settlements.ts'
import { pause, settles, within } from './waiting.ts'

const underLoad: readonly Need[] = [can('subscribes'), durable('subscribes', 'redelivers')]

/** What holds while the line or the broker fails. */
export const OUTAGE: readonly Behaviour[] = [
  behaviour(
    'under load, nothing acknowledged is lost when the line is cut',
    [...underLoad, faults('cut')],
    (scope) => load(scope, (line) => line.strike('cut')),
  ),
  behaviour(
    'under load, nothing acknowledged is lost when the line is reset',
    [...underLoad, faults('reset')],
    (scope) => load(scope, (line) => line.strike('reset')),
  ),
  behaviour(
    'under load, nothing is lost or doubled when the line is slow',
    [...underLoad, faults('delay')],
    slowLine,
  ),
  behaviour(
    'under load, nothing acknowledged is lost when the broker is killed',
    [...underLoad, broken],
    (scope) => load(scope, (line) => line.kill()),
  ),
  behaviour(
    'under load, nothing acknowledged is lost when the broker freezes and comes back',
    [...underLoad, faults('freeze')],
    (scope) => load(scope, (line) => line.freeze()),
  ),
  behaviour('an idle link notices a silent broker within its time', [faults('freeze')], (scope) =>
    freezeNoticed(scope, 0),
  ),
  behaviour('a link with messages on their way notices a silent broker', [faults('freeze')], (scope) =>
    freezeNoticed(scope, 20),
  ),
  behaviour('a short silence of the broker ends no link', [faults('freeze')], shortSilence),
  behaviour('a link settles everything at its end, however it ends', [anyEnd], settlesAtTheEnd),
  behaviour('a subscription ends with its link, however that ends', [can('subscribes'), anyEnd], streamsEnd),
  behaviour(
    'a dial during an outage rejects, and works when it is over',
    [faults('kill', 'restart')],
    dialInOutage,
  ),
]

function broken({ harness }: Parameters<Need>[0]): string | undefined {
  const { faults: has = {}, promises } = harness
  if (promises.acknowledgedSurvivesKill && has.kill !== undefined && has.restart !== undefined)
    return undefined
  if (promises.acknowledgedSurvivesRestart && has.restart !== undefined) return undefined
  return 'the broker promises to keep acknowledged messages over neither a kill nor a restart'
}

function anyEnd({ harness }: Parameters<Need>[0]): string | undefined {
  const { cut, reset, restart } = harness.faults ?? {}
  return (cut ?? reset ?? restart) ? undefined : 'the harness can end no link from outside'
}

/** Makes the faults of the line in the middle of a load. */
class Line {
  readonly #scope: Scope
  readonly #sender: Sender

  constructor(scope: Scope, sender: Sender) {
    this.#scope = scope
    this.#sender = sender
  }

  /** Ends every link, which must be noticed. */
  async strike(name: 'cut' | 'reset'): Promise<void> {
    const { link } = this.#sender
    await this.#scope.fault(name)()
    if (link !== undefined) await this.#scope.lost(link)
  }

  /** Kills the broker, or stops it in an orderly way where it keeps nothing over a kill; then starts it. */
  async kill(): Promise<void> {
    if (this.#scope.harness.promises.acknowledgedSurvivesKill) {
      const { link } = this.#sender
      await this.#scope.fault('kill')()
      if (link !== undefined) await this.#scope.lost(link)
    }
    await this.#scope.fault('restart')()
  }

  /** Freezes it until the link of the sender has noticed. */
  async freeze(): Promise<void> {
    const { link } = this.#sender
    await this.#scope.fault('freeze')(true)
    if (link !== undefined) await this.#scope.lost(link, this.#scope.harness.promises.freezeNoticedMs)
    await this.#scope.fault('freeze')(false)
  }
}

/** Sends and receives, and has `strike` done when some of it has arrived, again and again; checks the promises. */
async function load(scope: Scope, strike: (line: Line) => Promise<void>): Promise<void> {
  const subscription = await DurableReader.of(scope, 'load')
  const sender = new Sender(scope, await scope.harness.client('plain'), numbered(scope, subscription.topic))
  const receiver = new Receiver(scope, subscription, sender.attempts)
  const receive = await receiver.start()
  const line = new Line(scope, sender)
  const { rounds } = scope.intensity
  const total = sender.messages.length
  const sending = sender.run()
  const receiving = receive()
  receiving.catch(() => undefined)
  sending.catch(() => undefined)
  for (let round = 1; round <= rounds; round += 1) {
    await arrived(scope, receiver, Math.floor((total * round) / (rounds + 1)), sending)
    await strike(line)
  }
  await sending
  assert.equal(sender.acknowledged.size, total, 'not everything was acknowledged')
  await arrived(scope, receiver, total, sending)
  checkLoad(sender, receiver)
}

/** Waits until so many messages have arrived; fails early when the sender has. */
async function arrived(
  scope: Scope,
  receiver: Receiver,
  count: number,
  sending: Promise<void>,
): Promise<void> {
  const failed = new Promise<never>((_, reject) => {
    sending.catch(reject)
  })
  const there = Promise.race([receiver.hasHad(count), failed])
  await within(scope.waitMs * 3, `the arrival of ${count} messages`, there)
}

async function slowLine(scope: Scope): Promise<void> {
  const subscription = await DurableReader.of(scope, 'slow')
  const sender = new Sender(scope, await scope.harness.client('plain'), numbered(scope, subscription.topic))
  const receiver = new Receiver(scope, subscription, sender.attempts)
  const receive = await receiver.start()
  receive().catch(() => undefined)
  await scope.fault('delay')(20)
  const sending = sender.run()
  await sending
  await arrived(scope, receiver, sender.messages.length, sending)
  await scope.fault('delay')(0)
  assert.equal(sender.links, 1, 'a link ended, though the line was only slow')
  checkLoad(sender, receiver)
  const doubled = [...receiver.arrivals.values()].filter(({ count }) => count > 1).length
  assert.equal(doubled, 0, `${doubled} messages came twice, though no link ended`)
}

async function freezeNoticed(scope: Scope, messages: number): Promise<void> {
  const link = await scope.dial()
  await scope.works(link)
  const topic = await scope.topic('silent')
  await scope.fault('freeze')(true)
  const batch = scope.send(link, scope.messages(topic, messages))
  const reason = await scope.lost(link, scope.harness.promises.freezeNoticedMs)
  assert.equal(reason.retryable, true)
  for (const outcome of await batch.all(scope.waitMs)) assert.equal(outcome.kind, 'failed')
  batch.checkOnce()
  await scope.fault('freeze')(false)
  await scope.works(await scope.dial())
}

async function shortSilence(scope: Scope): Promise<void> {
  const link = await scope.dial()
  await scope.works(link)
  await scope.fault('freeze')(true)
  const batch = scope.send(link, scope.messages(await scope.topic('short'), 10))
  await pause(Math.min(scope.quietMs, scope.harness.promises.freezeNoticedMs / 8))
  await scope.fault('freeze')(false)
  checkDelivered(await batch.all(scope.waitMs))
  assert.ok(!(await settles(1, link.lost)), 'the link ended')
}

/** The ways in which the harness can end every link. */
function ends(scope: Scope): (() => Promise<void> | void)[] {
  const { cut, reset, restart } = scope.harness.faults ?? {}
  return [cut, reset, restart].filter((end) => end !== undefined)
}

async function settlesAtTheEnd(scope: Scope): Promise<void> {
  for (const end of ends(scope)) {
    const link = await scope.dial()
    const topic = await scope.topic('end')
    const batches = [0, 1, 2, 3].map(() =>
      scope.send(link, scope.messages(topic, scope.intensity.messages / 4)),
    )
    await end()
    await scope.lost(link)
    for (const batch of batches) {
      await batch.all(scope.waitMs)
      batch.checkOnce()
    }
    await scope.close(link)
    for (const batch of batches) batch.checkOnce()
  }
}

async function streamsEnd(scope: Scope): Promise<void> {
  for (const end of ends(scope)) {
    const link = await scope.dial()
    const ended = (await scope.read(link, await scope.topic('end'))).end()
    await end()
    await scope.lost(link)
    assert.deepEqual(await ended, [])
  }
}

async function dialInOutage(scope: Scope): Promise<void> {
  const client = await scope.harness.client('plain')
  const link = await scope.dial(client)
  await scope.fault('kill')()
  await scope.lost(link)
  const asked = scope.harness.adaptor.dial(client, AbortSignal.timeout(scope.waitMs))
  const error = await scope.rejects('a dial during an outage', asked)
  assert.equal(error.retryable, true)
  await scope.fault('restart')()
  await scope.works(await scope.dial(client))
}
