import type { Capabilities } from '../adaptor.ts'
import type { Behaviour } from './behaviour.ts'
import { DURABILITY } from './durability.ts'
import { ENDING } from './ending.ts'
import type { Harness, Known, Mode, Runner } from './harness.ts'
import { OUTAGE } from './outage.ts'
import { PUBLISHING } from './publishing.ts'
import { REFUSING } from './refusing.ts'
import { INTENSITIES, Scope } from './scope.ts'
import { SUBSCRIBING } from './subscribing.ts'
import { within } from './waiting.ts'

/** The behaviours that a mode looks at, in order. */
function behaviours(mode: Mode): readonly Behaviour[] {
  return mode === 'outage' ? OUTAGE : [...PUBLISHING, ...SUBSCRIBING, ...DURABILITY, ...REFUSING, ...ENDING]
}

/**
 * Holds an adaptor to the contract, against the broker behind a harness. Each behaviour becomes one test of the runner, which
 * must run them one after another.
 *
 * A behaviour is skipped only where a capability of the adaptor or a promise of the harness says that it cannot be shown, and
 * the reason is printed. The suite waits for events, bounded by `harness.deadlines`.
 *
 * @example
 * import { test } from 'node:test'
 * import { conformance } from 'backhaul/conformance'
 *
 * conformance(harness, test, 'normal')
 * conformance(harness, test, 'outage')
 *
 * @param runner - `test` of `node:test` or of vitest
 * @param mode - `short`, `normal` or `stress`; `outage` makes the line and the broker fail, by the harness's switches
 */
export function conformance(harness: Harness, runner: Runner, mode: Mode = 'normal'): void {
  let known: Promise<Known> | undefined
  for (const behaviour of behaviours(mode)) {
    void runner(behaviour.name, async (context) => {
      known ??= learn(harness)
      const missing = missingFor(behaviour, await known)
      if (missing === undefined) await show(behaviour, await known, mode)
      else context.skip(missing)
    })
  }
}

function missingFor(behaviour: Behaviour, known: Known): string | undefined {
  for (const need of behaviour.needs) {
    const missing = need(known)
    if (missing !== undefined) return missing
  }
  return undefined
}

async function show(behaviour: Behaviour, known: Known, mode: Mode): Promise<void> {
  const scope = new Scope(known, INTENSITIES[mode])
  // every wait inside is bounded; this holds even an adaptor that answers each at the last moment
  const limitMs = scope.waitMs * (mode === 'outage' || mode === 'stress' ? 20 : 6) + scope.closeMs
  try {
    await within(limitMs, 'the end of the behaviour', behaviour.run(scope))
  } finally {
    await scope.finish()
  }
}

/** Finds out what links can do here: a link may narrow what its adaptor says. */
async function learn(harness: Harness): Promise<Known> {
  return {
    harness,
    capabilities: await capabilitiesOf(harness, 'plain'),
    durable: await capabilitiesOf(harness, 'durable'),
  }
}

async function capabilitiesOf(harness: Harness, kind: 'plain' | 'durable'): Promise<Capabilities> {
  const waitMs = harness.deadlines?.waitMs ?? 10_000
  const link = await harness.adaptor.dial(await harness.client(kind), AbortSignal.timeout(waitMs))
  const { capabilities } = link
  await Promise.race([link.close(), new Promise((resolve) => setTimeout(resolve, waitMs).unref())])
  return capabilities
}
