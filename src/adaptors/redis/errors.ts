import type { ErrorCode, ErrorFacts, RefusalScope } from '../../contract/index.ts'
import { BackhaulError } from '../../contract/index.ts'

export { closed, late, linkLost } from '../shared/link-errors.ts'

/*
 * Redis answers an error as one line that begins with a word: "NOPERM this user has no permissions ...". The word decides what it
 * means to us, and what becomes of a message that it answers: `failed` for what passes by itself, else what it refuses.
 */

/** An answer that tells of an error. */
export class ErrorAnswer {
  /** The line as Redis wrote it. */
  readonly text: string

  constructor(text: string) {
    this.text = text
  }

  /** Its first word: `WRONGTYPE`. */
  get word(): string {
    return this.text.split(' ', 1)[0] ?? ''
  }
}

/** What becomes of a message that an error answers. */
export type Verdict = 'failed' | RefusalScope

type Meaning = readonly [verdict: Verdict, code: ErrorCode, words: string]

const MEANINGS: Readonly<Record<string, Meaning>> = {
  NOPERM: [
    'topic',
    'NOT_AUTHORIZED',
    'the user has no right to it, add the stream and the command to its access list (ACL SETUSER)',
  ],
  WRONGTYPE: ['topic', 'REFUSED', 'the key holds something else than a stream, choose another name'],
  MOVED: [
    'topic',
    'UNSUPPORTED',
    'the stream lies on another node of a Redis Cluster, dial that node or a server that is no cluster',
  ],
  ASK: ['topic', 'UNSUPPORTED', 'the stream moves between nodes of a Redis Cluster, dial its new node'],
  NOGROUP: [
    'topic',
    'REFUSED',
    'the group is not there and this user may not make it, create it with XGROUP CREATE, or allow xgroup',
  ],
  OOM: [
    'failed',
    'REFUSED',
    'the broker has used up its memory, raise its maxmemory, or limit streams with maxStreamLength',
  ],
  MISCONF: [
    'failed',
    'REFUSED',
    'the broker cannot write to its disk and takes no writes until it can, see its log',
  ],
  NOREPLICAS: ['failed', 'REFUSED', 'the broker has too few replicas to take writes, see its replication'],
  LOADING: ['failed', 'REFUSED', 'the broker is reading its data into memory, it is tried again'],
  BUSY: ['failed', 'REFUSED', 'the broker is busy with a script, it is tried again'],
  TRYAGAIN: ['failed', 'REFUSED', 'the broker asks to try again, which happens by itself'],
  MASTERDOWN: ['failed', 'REFUSED', 'the broker has lost its primary, it is tried again'],
  CLUSTERDOWN: ['failed', 'REFUSED', 'the cluster is down, it is tried again'],
  READONLY: ['link', 'REFUSED', 'the broker is a read-only replica, dial its primary'],
  NOAUTH: [
    'link',
    'BAD_CREDENTIALS',
    'the broker demands a password, give auth with a user (default where only requirepass is set) and its password',
  ],
  WRONGPASS: [
    'link',
    'BAD_CREDENTIALS',
    'the broker refused the user or password, or the user is off, check them at both sides',
  ],
  DENIED: [
    'link',
    'NOT_AUTHORIZED',
    'the broker is in protected mode and takes no clients from other machines, set a password and its bind address',
  ],
  NOPROTO: ['link', 'UNSUPPORTED', 'the broker does not speak RESP2, use Redis 7 or Valkey'],
}

const OTHER: Meaning = ['topic', 'REFUSED', 'the broker refused, see its reason']
const UNKNOWN_COMMAND: Meaning = [
  'link',
  'UNSUPPORTED',
  'the broker does not know a command that is needed, use Redis 7 or Valkey, and do not rename commands',
]
const NO_DATABASE: Meaning = [
  'link',
  'REFUSED',
  'the broker has no database of this number, use a lower one, or raise "databases" of the broker',
]

function meaningOf({ word, text }: ErrorAnswer): Meaning {
  const known = MEANINGS[word]
  if (known !== undefined && Object.hasOwn(MEANINGS, word)) return known
  if (/^ERR unknown (?:sub)?command/i.test(text)) return UNKNOWN_COMMAND
  if (/^ERR (?:DB index|invalid DB index)/i.test(text)) return NO_DATABASE
  return OTHER
}

/** What becomes of a message that this answers. */
export function verdictOf(answer: ErrorAnswer): Verdict {
  return meaningOf(answer)[0]
}

/**
 * Translates an error that the broker answered.
 *
 * @param what - completes "Cannot ..."
 * @param scope - what it refuses, where that is known better here
 */
export function redisError(answer: ErrorAnswer, what: string, scope?: RefusalScope): BackhaulError {
  const [verdict, code, words] = meaningOf(answer)
  const covers = scope ?? (verdict === 'failed' ? undefined : verdict)
  const facts: ErrorFacts = { brokerReason: reasonOf(answer), ...(covers !== undefined && { scope: covers }) }
  return new BackhaulError(code, `Cannot ${what}: ${words}`, undefined, facts)
}

/** A link that ended because of what the broker answered. It is dialled again. */
export function lostBy(answer: ErrorAnswer, what: string): BackhaulError {
  return new BackhaulError(
    'LINK_LOST',
    `Cannot ${what}: the broker answered ${answer.word}, the link is dialled again`,
    undefined,
    { brokerReason: reasonOf(answer) },
  )
}

/** The broker's own line. An unknown command is answered with its arguments, which may be secret: they are left out. */
function reasonOf({ text }: ErrorAnswer): string {
  const line = text.replace(/, with args beginning with:.*$/s, '')
  return line.length > 300 ? `${line.slice(0, 300)}...` : line
}

/** What a wait ends with that its caller gave up. */
export function aborted(what: string): BackhaulError {
  return new BackhaulError('ABORTED', `Cannot ${what}: the caller gave up, call again`)
}

/** Bytes that are no answer of Redis. */
export function violation(address: string, why: string, cause?: unknown): BackhaulError {
  return new BackhaulError(
    'PROTOCOL_ERROR',
    `Cannot go on with ${address}: it sent ${why}, check that the address is of a Redis server`,
    cause,
  )
}
