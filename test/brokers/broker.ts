import type { TestPki } from '../pki.ts'

/** Kinds of listener: plaintext, TLS, TLS that demands a client certificate, and the same three over WebSocket. */
export const LISTENER_KINDS = ['plain', 'tls', 'mutual', 'ws', 'wss', 'wssMutual'] as const
/** One of {@link LISTENER_KINDS}. */
export type ListenerKind = (typeof LISTENER_KINDS)[number]

/** Whether a listener speaks TLS. */
export function hasTls(kind: ListenerKind): boolean {
  return kind !== 'plain' && kind !== 'ws'
}

/** Whether a listener speaks WebSocket. */
export function overWebSocket(kind: ListenerKind): boolean {
  return kind === 'ws' || kind === 'wss' || kind === 'wssMutual'
}

/** Whether a listener demands a client certificate. */
export function demandsCertificate(kind: ListenerKind): boolean {
  return kind === 'mutual' || kind === 'wssMutual'
}

/** A real broker that a test has started. It listens on the loopback only. Whoever starts one stops it. */
export interface TestBroker extends AsyncDisposable {
  /** For titles: `mosquitto 2.0.11`. */
  readonly name: string
  /** Whether a message that the broker acknowledged is still there after `kill()`. */
  readonly acknowledgedSurvivesKill: boolean
  /** Whether a message that the broker acknowledged is still there after an orderly `restart()`. */
  readonly acknowledgedSurvivesRestart: boolean
  /** The CA behind its TLS listeners. `undefined` where there is no TLS listener. */
  readonly pki: TestPki | undefined
  /** Process id, for whoever wants to look. */
  readonly pid: number
  /** What the broker has written since its first start, by lines. */
  readonly log: readonly string[]
  /** The port of a listener that was asked for. */
  port(kind: ListenerKind): number
  /** The address of a listener that was asked for, for example `mqtts://127.0.0.1:21345`. */
  url(kind: ListenerKind): string
  /**
   * Waits for a line of the log; lines from index `from` on count, also those that are there already.
   * Rejects with the end of the log after `timeoutMs` (10 s), or when the broker ends.
   */
  waitForLog(pattern: RegExp, options?: { from?: number; timeoutMs?: number }): Promise<string>
  /** Ends it in an orderly way: persistent sessions are written. Twice is fine. Removes its folder. */
  stop(): Promise<void>
  /** Ends it in an orderly way. `restart()` brings it back. */
  shutDown(): Promise<void>
  /** Ends it at once (SIGKILL). `restart()` brings it back. */
  kill(): Promise<void>
  /** Halts it (SIGSTOP): connections stay open, and nothing answers. */
  freeze(): void
  /** Lets it go on after `freeze()`. */
  thaw(): void
  /** Ends it in an orderly way if it runs, and starts it again on the same ports with the same files. */
  restart(): Promise<void>
}

/** What a broker lets an identity do: `read`, `write` or `readwrite`, and a topic pattern. `''` is the anonymous one. */
export type AccessList = Readonly<Record<string, readonly AccessRule[]>>
/** One right, in the notation of Mosquitto: `readwrite devices/edge-1/#`. */
export type AccessRule = `${'read' | 'write' | 'readwrite'} ${string}`
