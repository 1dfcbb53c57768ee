import type { Action, Clock, Command, Timer } from '../contract/index.ts'
import type { ErrorCode } from '../contract/index.ts'
import { BackhaulError, ERRORS } from '../contract/index.ts'
import { deferred } from '../kit/deferred.ts'
import { suggestion } from '../kit/nearest.ts'
import { Ring } from '../kit/ring.ts'
import { systemClock } from '../kit/system-clock.ts'
import type { CommandJournal, JournalEntry, KeptAnswer } from './journal.ts'

// How commands are carried out.
//
// Invariants:
// - Every command gets exactly one answer, whatever its action does: result, error, or a timeout.
// - An id that is remembered is never carried out again: while it runs, a repeat waits for the same answer; afterwards
//   it gets the same answer at once. Memory is bounded by a count; the oldest is forgotten first.
// - With a journal, a command is carried out only once the journal has it, and what the journal knows is never carried out
//   again: it is answered with what came of it, or with `COMMAND_INTERRUPTED` when the process ended in between.
// - At most `maxAtOnce` actions run; others wait in the order in which they came.

/** What became of a command. */
export type Answer =
  | { readonly ok: true; readonly result: unknown }
  | { readonly ok: false; readonly error: BackhaulError }

/** How a {@link Dispatcher} is set up. */
export interface DispatcherOptions {
  /** What commands can name. */
  readonly actions: readonly Action[]
  /** The device that carries them out. */
  readonly deviceId: string
  /** Aborted when the agent stops: what runs is told, what waits is answered with `ABORTED`. */
  readonly signal: AbortSignal
  /** How many actions may run at once. @default 8 */
  readonly maxAtOnce?: number
  /** How many answers are kept for repeats. @default 1000 */
  readonly maxRemembered?: number
  /** How long a command may wait and run in all, in milliseconds. @default 60_000 */
  readonly timeoutMs?: number
  /** Remembers commands over a crash. @default none: they are remembered in memory */
  readonly journal?: CommandJournal | undefined
  /** @default the machine's clock */
  readonly clock?: Clock
}

/** Which way a command came, for the journal. */
export interface CommandWay {
  /** Where its reply goes: whatever tells that after a crash. */
  readonly channel: string
  /** The id of the reply's message. */
  readonly replyId: string
  /** Called when the journal has the command: it may be acknowledged, and does not come to harm any more. */
  accepted(): void
}

/** Finds the action of each command, carries it out and answers. */
export class Dispatcher {
  readonly #actions: ReadonlyMap<string, Action>
  readonly #deviceId: string
  readonly #signal: AbortSignal
  readonly #maxAtOnce: number
  readonly #maxRemembered: number
  readonly #timeoutMs: number
  readonly #clock: Clock
  readonly #journal: CommandJournal | undefined
  readonly #answers = new Map<string, Promise<Answer>>()
  readonly #waiting = new Ring<() => void>()
  #running = 0

  constructor(options: DispatcherOptions) {
    this.#actions = new Map(options.actions.map((action) => [action.name, action]))
    this.#deviceId = options.deviceId
    this.#signal = options.signal
    this.#maxAtOnce = options.maxAtOnce ?? 8
    this.#maxRemembered = options.maxRemembered ?? 1000
    this.#timeoutMs = options.timeoutMs ?? 60_000
    this.#clock = options.clock ?? systemClock
    this.#journal = options.journal
  }

  /** The names that commands can use. */
  get known(): readonly string[] {
    return [...this.#actions.keys()]
  }

  /**
   * Carries a command out, unless it was before, and answers. Never rejects.
   *
   * @param way - which way it came; without it the journal is left out
   */
  dispatch(command: Command, way?: CommandWay): Promise<Answer> {
    const before = this.#answers.get(command.id)
    if (before !== undefined) return before
    const action = this.#actions.get(command.command)
    if (action === undefined) return Promise.resolve({ ok: false, error: this.#unknown(command.command) })
    const answer = way === undefined ? this.#limited(action, command) : this.#journaled(action, command, way)
    this.#remember(command.id, answer)
    return answer
  }

  async #journaled(action: Action, command: Command, way: CommandWay): Promise<Answer> {
    const journal = this.#journal
    if (journal === undefined) return this.#limited(action, command)
    const { id } = command
    const kept = journal.find(id)
    if (kept !== undefined) {
      const answer = answerOf(kept)
      if (kept.answer === undefined) await journal.end(id, toKeep(answer)).catch(() => undefined)
      return answer
    }
    try {
      await journal.begin(command, way.channel, way.replyId)
    } catch (error) {
      // it was not carried out: a repeat may find the disk mended
      this.#answers.delete(id)
      return { ok: false, error: asError(command, error) }
    }
    way.accepted()
    const answer = await this.#limited(action, command)
    // an answer that is not kept is still given; after a crash the command counts as interrupted
    await journal.end(id, toKeep(answer)).catch(() => undefined)
    return answer
  }

  #unknown(name: string): BackhaulError {
    const shown = name.length > 64 ? `${name.slice(0, 64)}...` : name
    const known = this.known.join(', ')
    const near = suggestion(shown, this.known)
    return new BackhaulError(
      'COMMAND_UNKNOWN',
      `Cannot carry out "${shown}": this device has no such command${near === '' ? ', it' : `${near} It`} knows: ${known}`,
    )
  }

  #remember(id: string, answer: Promise<Answer>): void {
    this.#answers.set(id, answer)
    if (this.#answers.size <= this.#maxRemembered) return
    const oldest = this.#answers.keys().next()
    if (oldest.done !== true) this.#answers.delete(oldest.value)
  }

  /** Runs an action in its turn, within the limit of time. */
  async #limited(action: Action, command: Command): Promise<Answer> {
    const controller = new AbortController()
    const ended = deferred<Answer>()
    const end = (error: BackhaulError) => {
      ended.resolve({ ok: false, error })
      controller.abort(error)
    }
    const timer: Timer = this.#clock.after(this.#timeoutMs, () => end(timedOut(command, this.#timeoutMs)))
    const onStop = () => end(stopped(command))
    this.#signal.addEventListener('abort', onStop)
    if (this.#signal.aborted) onStop()
    try {
      return await Promise.race([ended.promise, this.#inTurn(action, command, controller.signal)])
    } finally {
      timer.cancel()
      this.#signal.removeEventListener('abort', onStop)
    }
  }

  async #inTurn(action: Action, command: Command, signal: AbortSignal): Promise<Answer> {
    if (this.#running >= this.#maxAtOnce) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    } else {
      this.#running += 1
    }
    try {
      signal.throwIfAborted()
      return { ok: true, result: await action.run(command, { deviceId: this.#deviceId, signal }) }
    } catch (error) {
      return { ok: false, error: asError(command, error) }
    } finally {
      // the turn passes to the next one, or is free
      const next = this.#waiting.shift()
      if (next === undefined) this.#running -= 1
      else next()
    }
  }
}

/** What the journal tells of a command: what came of it, or that it was interrupted. */
export function answerOf({ command, answer }: JournalEntry): Answer {
  if (answer === undefined) {
    const text = `Cannot finish "${command}": the device ended while it was carried out, look at what was done and send it again with a new id`
    return { ok: false, error: new BackhaulError('COMMAND_INTERRUPTED', text) }
  }
  if (answer.ok) return { ok: true, result: answer.result }
  const code = isErrorCode(answer.code) ? answer.code : 'INTERNAL'
  return { ok: false, error: new BackhaulError(code, answer.message) }
}

function toKeep(answer: Answer): KeptAnswer {
  if (answer.ok) return { ok: true, result: answer.result }
  const { code, message } = answer.error
  return { ok: false, code, message }
}

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(ERRORS, code)
}

function timedOut(command: Command, timeoutMs: number): BackhaulError {
  return new BackhaulError(
    'TIMEOUT',
    `Cannot finish "${command.command}": it was not done within ${timeoutMs} ms, send it again with a new id`,
  )
}

function stopped(command: Command): BackhaulError {
  return new BackhaulError(
    'ABORTED',
    `Cannot finish "${command.command}": the agent was stopped, send it again with a new id`,
  )
}

function asError(command: Command, error: unknown): BackhaulError {
  if (error instanceof BackhaulError) return error
  // the text of a foreign error may hold anything, so it does not leave the device
  return new BackhaulError(
    'INTERNAL',
    `Cannot carry out "${command.command}": the action failed, see the log of the device`,
    error,
  )
}
