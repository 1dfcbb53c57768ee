import { createRequire } from 'node:module'
import { resolve } from 'node:path'
import process from 'node:process'
import { pathToFileURL } from 'node:url'

import type { Adaptor, Capabilities, OptionProblem } from '../contract/index.ts'
import { BackhaulError } from '../contract/index.ts'

const FUNCTIONS = ['options', 'signature', 'checkTopic', 'dial'] as const
const TRANSPORTS: readonly unknown[] = ['tls', 'plaintext', 'process']

/** The type of each capability. */
const CAPABILITIES: Readonly<Record<keyof Capabilities, 'boolean' | 'number'>> = {
  keepsOrderAfterFailure: 'boolean',
  reportsRefusals: 'boolean',
  carriesId: 'boolean',
  carriesKey: 'boolean',
  carriesHeaders: 'boolean',
  emptyPayload: 'boolean',
  subscribes: 'boolean',
  patterns: 'boolean',
  groups: 'boolean',
  durableSubscriptions: 'boolean',
  redelivers: 'boolean',
  parallelLinks: 'boolean',
  maxPayloadBytes: 'number',
  maxBatchBytes: 'number',
  maxInFlight: 'number',
}

/**
 * Gives a custom adaptor, checked against the contract as far as that can be seen without dialling: its conformance suite
 * shows the rest.
 *
 * @param given - the adaptor itself, or the module that exports it as `adaptor`: a path where it has a "/", taken from the
 * working folder, else a package, looked for from there and then beside Backhaul
 * @throws BackhaulError `DRIVER_MISSING` when the module cannot be loaded; `INVALID_OPTIONS` when what it exports is no
 * adaptor, with every member that is not as the contract wants it
 */
export async function customAdaptor(given: Adaptor | string): Promise<Adaptor> {
  const name = typeof given === 'string' ? `the module "${given}"` : 'the option "adaptor"'
  const adaptor: unknown = typeof given === 'string' ? await load(given) : given
  const faults = faultsOf(adaptor)
  if (isAdaptor(adaptor, faults)) return adaptor
  throw new BackhaulError(
    'INVALID_OPTIONS',
    `Cannot use ${name}: it is no adaptor, mend ${faults.join('; ')}`,
    undefined,
    { problems: [problem(`is no adaptor, mend ${faults.join('; ')}`)] },
  )
}

function problem(text: string): OptionProblem {
  return { path: ['adaptor'], kind: 'invalid', text, nearest: undefined }
}

async function load(name: string): Promise<unknown> {
  let loaded: Readonly<Record<string, unknown>>
  try {
    loaded = await import(urlOf(name))
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    const text = `cannot be loaded: ${why}, check the path, or run npm install for a package`
    throw new BackhaulError('DRIVER_MISSING', `Cannot use the adaptor "${name}": it ${text}`, cause, {
      problems: [problem(text)],
    })
  }
  return loaded['adaptor']
}

function urlOf(name: string): string {
  if (/^(?:\.{0,2}\/|[a-z]:\\)/i.test(name)) return pathToFileURL(resolve(name)).href
  try {
    return pathToFileURL(createRequire(resolve(process.cwd(), 'any.js')).resolve(name)).href
  } catch {
    // not for require(), or not here: as Backhaul itself finds it
    return name
  }
}

function isAdaptor(_value: unknown, faults: readonly string[]): _value is Adaptor {
  return faults.length === 0
}

/** What keeps a value from being an adaptor, each in words. */
function faultsOf(value: unknown): string[] {
  if (!isRecord(value)) return ['the export named "adaptor", which must be an object']
  const faults: string[] = []
  const { protocol, schemes, capabilities } = value
  if (typeof protocol !== 'string' || protocol === '') faults.push('"protocol", which must be a text')
  if (!isRecord(schemes) || !fits(Object.values(schemes), (transport) => TRANSPORTS.includes(transport))) {
    faults.push('"schemes", which must give "tls", "plaintext" or "process" for each scheme')
  }
  for (const [name, type] of Object.entries(CAPABILITIES)) {
    const capability = isRecord(capabilities) ? capabilities[name] : undefined
    const is = typeof capability === type && !(typeof capability === 'number' && !(capability > 0))
    if (!is)
      faults.push(`"capabilities.${name}", which must be a ${type}${type === 'number' ? ' above 0' : ''}`)
  }
  for (const name of FUNCTIONS) {
    if (typeof value[name] !== 'function') faults.push(`"${name}", which must be a function`)
  }
  return faults
}

function fits(values: readonly unknown[], fitting: (value: unknown) => boolean): boolean {
  return values.length > 0 && values.every(fitting)
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}
