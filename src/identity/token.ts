import type { ExecFileException } from 'node:child_process'
import { execFile } from 'node:child_process'
import { resolve } from 'node:path'

import { BackhaulError } from '../contract/index.ts'
import type { TokenSource } from '../kit/security-options.ts'
import type { ReadOptions } from './material.ts'

// Tokens that live for minutes or hours: asked for at each dial, of a function of the application or of a program. What a program
// prints is a secret, and what it says of its failure may hold one: only a part of it is repeated.

/** No token comes near it. */
const MAX_BYTES = 1024 ** 2
/** How much of what a program says of its failure is repeated. */
const MAX_SAID = 200

/**
 * Runs a program, without a shell, and gives the first line that it prints. A program whose name has a slash in it is found from
 * the base folder, another one by PATH.
 *
 * @throws BackhaulError `TOKEN_FAILED`, `TIMEOUT`, `ABORTED`.
 */
export async function tokenByCommand(
  command: readonly string[],
  timeoutMs: number,
  { baseFolder, signal }: ReadOptions,
): Promise<string> {
  const [name = '', ...words] = command
  const program = name.includes('/') ? resolve(baseFolder, name) : name
  const { error, stdout, stderr } = await run(program, words, timeoutMs, signal)
  signal.throwIfAborted()
  if (error === undefined) return checked(stdout, `"${name}" ended well and printed no line`)
  const said = saidBy(stderr, words)
  if (error.killed === true && typeof error.code !== 'string') {
    throw new BackhaulError(
      'TIMEOUT',
      `Cannot get a token: "${name}" did not end within ${timeoutMs} ms${said}, run it by hand, or raise tokenTimeoutMs`,
    )
  }
  throw new BackhaulError(
    'TOKEN_FAILED',
    `Cannot get a token: ${stateOf(name, error)}${said}, run it by hand`,
  )
}

/**
 * Asks a function for a token.
 *
 * @throws BackhaulError `TOKEN_FAILED`, `TIMEOUT`, `ABORTED`.
 */
export async function tokenByFunction(
  source: TokenSource,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<string> {
  const timeout = AbortSignal.timeout(timeoutMs)
  const limit = AbortSignal.any([signal, timeout])
  let giveUp = (): void => undefined
  const gaveUp = new Promise<never>((_, reject) => {
    giveUp = () => reject(limit.reason)
    limit.addEventListener('abort', giveUp, { once: true })
  })
  try {
    const asked = new Promise<string>((settle) => settle(source(limit)))
    return checked(await Promise.race([asked, gaveUp]), 'the function gave no text')
  } catch (cause) {
    signal.throwIfAborted()
    if (cause instanceof BackhaulError) throw cause
    if (timeout.aborted) {
      throw new BackhaulError(
        'TIMEOUT',
        `Cannot get a token: the function did not give one within ${timeoutMs} ms, see what it waits for, or raise tokenTimeoutMs`,
      )
    }
    throw new BackhaulError('TOKEN_FAILED', 'Cannot get a token: the function threw, see the cause', cause)
  } finally {
    limit.removeEventListener('abort', giveUp)
  }
}

interface Ended {
  readonly error: ExecFileException | undefined
  readonly stdout: string
  readonly stderr: string
}

function run(
  program: string,
  words: readonly string[],
  timeout: number,
  signal: AbortSignal,
): Promise<Ended> {
  return new Promise((settle) => {
    const options = {
      timeout,
      signal,
      maxBuffer: MAX_BYTES,
      killSignal: 'SIGKILL',
      windowsHide: true,
    } as const
    const child = execFile(program, words, options, (error, stdout, stderr) => {
      settle({ error: error ?? undefined, stdout, stderr })
    })
    child.stdin?.end()
  })
}

function stateOf(name: string, { code, signal }: ExecFileException): string {
  if (code === 'ENOENT') return `there is no program "${name}"`
  if (code === 'EACCES') return `"${name}" may not be run by this user`
  if (typeof code === 'number') return `"${name}" ended with exit code ${code}`
  return `"${name}" was ended by ${signal ?? code ?? 'the system'}`
}

/** The last line of what a program says, without its arguments and without what looks like a secret. */
function saidBy(stderr: string, words: readonly string[]): string {
  let line = stderr.trim().split(/\r?\n/).at(-1) ?? ''
  for (const word of words) if (word.length > 3) line = line.replaceAll(word, '...')
  line = line.replaceAll(/(?=[^\s"']*\d)[\w+=.~-]{20,}/g, '...').slice(0, MAX_SAID)
  return line === '' ? '' : ` and said "${line}"`
}

function checked(text: unknown, otherwise: string): string {
  const token = typeof text === 'string' ? (text.split(/\r?\n/)[0]?.trim() ?? '') : ''
  if (token !== '') return token
  throw new BackhaulError(
    'TOKEN_FAILED',
    `Cannot get a token: ${otherwise}, let it give the token as one line`,
  )
}
