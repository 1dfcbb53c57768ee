import { execFile, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'

import { findCommand } from '../brokers/index.ts'

/** How long one try of a program may take, in milliseconds. */
const TRY_MS = 2000
const PAUSE_MS = 50
const MAX_TRIES = 2000

/** Runs a program again and again until it ends well. */
export async function untilItWorks(name: string, args: readonly string[], input: string): Promise<void> {
  for (let tries = 1; tries <= MAX_TRIES; tries += 1) {
    if (await works(name, args, input)) return
    await sleep(PAUSE_MS)
  }
  throw new Error(`${name} has not worked within ${MAX_TRIES} tries`)
}

/** Runs a program and hands over its output line by line. */
export async function eachLine(
  name: string,
  args: readonly string[],
  take: (line: string) => void,
): Promise<void> {
  const child = spawn(commandOf(name), args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('close', resolve)
    child.once('error', reject)
  })
  for await (const line of createInterface({ input: child.stdout })) take(line)
  const code = await ended
  if (code !== 0) throw new Error(`${name} ended with ${code}`)
}

function works(name: string, args: readonly string[], input: string): Promise<boolean> {
  return new Promise((resolve) => {
    const child = execFile(commandOf(name), args, { timeout: TRY_MS, killSignal: 'SIGKILL' }, (error) =>
      resolve(error === null),
    )
    // it may end without reading
    child.stdin?.on('error', () => undefined)
    child.stdin?.end(input)
  })
}

function commandOf(name: string): string {
  const command = findCommand(name)
  if (command === undefined) throw new Error(`${name} is not installed`)
  return command
}
