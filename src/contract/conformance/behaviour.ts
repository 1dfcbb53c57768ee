import type { Capabilities } from '../adaptor.ts'
import type { Faults, Known } from './harness.ts'
import type { Scope } from './scope.ts'

/** Why a behaviour cannot be shown here, or `undefined`: then it must hold. */
export type Need = (known: Known) => string | undefined

/** One thing that every adaptor owes, or owes where its capabilities say so. */
export interface Behaviour {
  /** What it says, as a sentence: the name of the test. */
  readonly name: string
  /** What it needs: capabilities of the adaptor, promises or switches of the harness. */
  readonly needs: readonly Need[]
  /** Shows it, or throws. */
  readonly run: (scope: Scope) => Promise<void>
}

/** Makes a behaviour. */
export function behaviour(
  name: string,
  needs: readonly Need[],
  run: (scope: Scope) => Promise<void>,
): Behaviour {
  return { name, needs, run }
}

/** Needs capabilities of the link of a plain client. */
export function can(...names: readonly (keyof Capabilities)[]): Need {
  return ({ capabilities }) => {
    const missing = names.find((name) => capabilities[name] === false)
    return missing === undefined ? undefined : `the capabilities say ${missing}: false`
  }
}

/** Needs subscriptions that outlive a link, and perhaps more of the link that has them. */
export function durable(...names: readonly (keyof Capabilities)[]): Need {
  return ({ durable, harness }) => {
    const missing = ['durableSubscriptions' as const, ...names].find((name) => durable[name] === false)
    if (missing !== undefined) return `the capabilities of a durable client say ${missing}: false`
    return harness.promises.durableBy === undefined
      ? 'the harness promises no durable subscription'
      : undefined
  }
}

/** Needs switches of the harness. */
export function faults(...names: readonly (keyof Faults)[]): Need {
  return ({ harness }) => {
    const missing = names.find((name) => harness.faults?.[name] === undefined)
    return missing === undefined ? undefined : `the harness has no ${missing}()`
  }
}

/** Needs something else; `reason` is printed where it is not there. */
export function given(reason: string, holds: (known: Known) => boolean): Need {
  return (known) => (holds(known) ? undefined : reason)
}
