import type { CommanderError } from 'commander'
import { InvalidArgumentError } from 'commander'

import { BackhaulError } from '../contract/index.ts'
import { parseDuration } from '../kit/duration.ts'

/** What commander says about a command line, in our words. It never repeats a password. */
export function usageError(error: CommanderError, command: string): BackhaulError {
  const [first = '', ...more] = error.message.replace(/^error: /, '').split('\n')
  const similar = /^\(Did you mean (?:one of )?(.+)\?\)$/.exec(more.join(' '))?.[1]
  const fix =
    similar === undefined
      ? helpFor(first, command)
      : `did you mean ${similar.split(', ').map(quoted).join(' or ')}?`
  const state = first
    .replaceAll("'", '"')
    .replace(/\.$/, '')
    .replaceAll(/(\/\/[^/@\s:]*):[^/\s]*@/g, '$1:***@')
  return new BackhaulError('USAGE', `Cannot run this command line: ${state}, ${fix}`)
}

/** Where the command talks to a broker, an unknown option may be meant for the protocol. */
function helpFor(said: string, command: string): string {
  const option = /^unknown option '--([a-zA-Z]\w*)'/.exec(said)?.[1]
  const takesProtocolOptions = command === 'backhaul pub' || command === 'backhaul sub'
  return option !== undefined && takesProtocolOptions
    ? `options of the protocol are given as -o ${option}=VALUE, see ${command} --help`
    : `see ${command} --help`
}

function quoted(text: string): string {
  return `"${text}"`
}

/** Reads a length of time for an option; a wrong one names the option. */
export function durationArgument(text: string): number {
  try {
    return parseDuration(text)
  } catch {
    throw new InvalidArgumentError('Write a number and a unit, for example 500ms, 5s, 2m or 1h')
  }
}

/** Reads a whole number from 1 for an option. */
export function countArgument(text: string): number {
  const count = /^\d{1,15}$/.test(text) ? Number(text) : 0
  if (count < 1) throw new InvalidArgumentError('Write a whole number from 1')
  return count
}

/** Reads `name=value` for an option that may be given many times. */
export function pairArgument(
  text: string,
  previous: Record<string, string> | undefined,
): Record<string, string> {
  const at = text.indexOf('=')
  if (at < 1) throw new InvalidArgumentError('Write it as name=value')
  const name = text.slice(0, at)
  if (previous !== undefined && Object.hasOwn(previous, name)) {
    throw new InvalidArgumentError(`"${name}" is given twice`)
  }
  return { ...previous, [name]: text.slice(at + 1) }
}

/** Collects an option that may be given many times. */
export function listArgument(text: string, previous: string[] | undefined): string[] {
  return [...(previous ?? []), text]
}
