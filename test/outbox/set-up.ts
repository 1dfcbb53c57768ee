import assert from 'node:assert/strict'

import type { BackhaulError, Capabilities } from '../../src/contract/index.ts'
import type { AddOptions, PumpOptions } from '../../src/outbox/index.ts'
import { MemoryStore, Pump } from '../../src/outbox/index.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { CAPABILITIES, message, ScriptedLink } from './scripted-link.ts'

/** A pump over a memory store, a scripted link and a manual clock. */
export function setUp(options: Partial<PumpOptions> = {}) {
  const clock = new ManualClock()
  const link = new ScriptedLink()
  const pump = new Pump({ publish: link.publish, store: new MemoryStore(), clock, ...options })
  /** Every call of a `settled`: the id, and the code of the error or `delivered`. */
  const ends: [id: string, end: string][] = []
  const add = (name: string, options: AddOptions = {}, bytes?: number) => {
    const each = message(name, bytes)
    const settled = (error: BackhaulError | undefined) => ends.push([each.id, error?.code ?? 'delivered'])
    return pump.add(each, options, settled)
  }
  /** Adds messages that are accepted at once. */
  const put = (...names: string[]) => {
    for (const name of names) assert.equal(add(name), undefined)
  }
  const up = (capabilities: Partial<Capabilities> = {}) => pump.linkUp({ ...CAPABILITIES, ...capabilities })
  return { clock, link, pump, ends, add, put, up }
}
