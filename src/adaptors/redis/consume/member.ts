import type { BackhaulError } from '../../../contract/index.ts'
import { ErrorAnswer, lostBy } from '../errors.ts'
import type { Argument } from '../session/command.ts'
import type { RedisConnection } from '../session/connection.ts'
import { answerList, answerText } from './entries.ts'
import { askFor } from './reader.ts'

/** Who holds what a member left unfinished, until another member claims it. */
const RELEASED = 'backhaul-released'
/** How idle it is then: enough for every member to claim it, whatever its `claimIdleMs`. A year, in milliseconds. */
const RELEASED_IDLE_MS = 31_536_000_000
/** How many ids one command names at most. */
const MAX_IDS = 500

/** How a member of a group is made. */
export interface MemberSetup {
  /** The connection for what never waits. */
  readonly main: RedisConnection
  /** Name of the group. */
  readonly group: string
  /** Name of this member. */
  readonly consumer: string
  /** Where the group begins where it is new. */
  readonly start: 'latest' | 'earliest'
  /** How long a member may be silent, in milliseconds. */
  readonly claimIdleMs: number
  /** The link must end. */
  readonly lost: (error: BackhaulError) => void
  /** The broker has confirmed that entries of a stream are finished. */
  readonly told: (stream: string, ids: readonly string[]) => void
}

/** What one member tells the broker about its group: it joins, finishes, keeps and releases entries. */
export class Member {
  readonly #setup: MemberSetup
  /** Ids of finished entries that the broker is not told of yet, by stream. */
  readonly #finished = new Map<string, string[]>()
  #flushing: NodeJS.Immediate | undefined
  #told: Promise<unknown> = Promise.resolve()

  constructor(setup: MemberSetup) {
    this.#setup = setup
  }

  /**
   * Makes stream and group where they are missing, and takes over what idle members had in work: it is in the list of this one then.
   *
   * @throws BackhaulError the refusal
   */
  async join(connection: RedisConnection, stream: string): Promise<void> {
    const { group, start } = this.#setup
    const from = start === 'latest' ? '$' : '0'
    const made = await connection.ask(['XGROUP', 'CREATE', stream, group, from, 'MKSTREAM'])
    // a user without this right may be a member of a group that somebody else has made
    if (made instanceof ErrorAnswer && made.word !== 'BUSYGROUP' && made.word !== 'NOPERM') {
      await askFor(connection, stream, ['XGROUP', 'CREATE', stream, group, from, 'MKSTREAM'])
    }
    // shows that finishing is allowed
    await askFor(connection, stream, ['XACK', stream, group, '0-0'])
    await this.#claimIdle(connection, stream)
  }

  /** Notes that the work on an entry is done. All of one turn go out together. */
  finish(stream: string, id: string): void {
    const ids = this.#finished.get(stream)
    if (ids === undefined) this.#finished.set(stream, [id])
    else ids.push(id)
    this.#flushing ??= setImmediate(() => this.#flush())
  }

  /** Resolves when the broker has been told of everything that is finished, or the connection has ended. */
  async told(): Promise<void> {
    this.#flush()
    await this.#told
  }

  /** Shows that entries are still in work, so that nobody claims them. */
  keep(stream: string, ids: readonly string[]): void {
    const { group, consumer, claimIdleMs } = this.#setup
    // what another member has claimed lately stays with it
    const minIdle = String(Math.floor(claimIdleMs / 4))
    for (const some of chunks(ids)) {
      void this.#tell(['XCLAIM', stream, group, consumer, minIdle, ...some, 'JUSTID'])
    }
  }

  /** Leaves entries to whoever claims them first. */
  async release(stream: string, ids: readonly string[]): Promise<void> {
    const { group } = this.#setup
    for (const some of chunks(ids)) {
      const idle = ['IDLE', String(RELEASED_IDLE_MS), 'JUSTID']
      await this.#tell(['XCLAIM', stream, group, RELEASED, '0', ...some, ...idle])
    }
  }

  async #claimIdle(connection: RedisConnection, stream: string): Promise<void> {
    const { group, consumer, claimIdleMs } = this.#setup
    for (let from: string | undefined = '0-0'; from !== undefined;) {
      const words = [
        'XAUTOCLAIM',
        stream,
        group,
        consumer,
        String(claimIdleMs),
        from,
        'COUNT',
        '100',
        'JUSTID',
      ]
      const [next] = answerList(await askFor(connection, stream, words))
      from = answerText(next) === '0-0' ? undefined : answerText(next)
    }
  }

  #flush(): void {
    if (this.#flushing !== undefined) clearImmediate(this.#flushing)
    this.#flushing = undefined
    const { group } = this.#setup
    const told: Promise<unknown>[] = [this.#told]
    for (const [stream, ids] of this.#finished) {
      for (const some of chunks(ids)) {
        told.push(this.#tell(['XACK', stream, group, ...some]).then(() => this.#setup.told(stream, some)))
      }
    }
    this.#finished.clear()
    if (told.length > 1) this.#told = Promise.all(told)
  }

  /** Sends a command whose refusal ends the link. Never rejects. */
  #tell(args: readonly Argument[]): Promise<void> {
    const { main, lost } = this.#setup
    return main.ask(args).then(
      (answer) => {
        if (answer instanceof ErrorAnswer) lost(lostBy(answer, `go on with ${main.address}`))
      },
      () => undefined,
    )
  }
}

function* chunks(ids: readonly string[]): Generator<readonly string[]> {
  for (let from = 0; from < ids.length; from += MAX_IDS) yield ids.slice(from, from + MAX_IDS)
}
