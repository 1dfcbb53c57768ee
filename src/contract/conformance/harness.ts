import type { Adaptor, Capabilities, DialRequest } from '../adaptor.ts'
import type { Address } from '../address.ts'

/**
 * What a test runner does with one behaviour: it runs it under its name, and hands it a way to skip itself.
 * `test` of `node:test` and of vitest fit as they are.
 */
export type Runner = (name: string, run: (context: RunContext) => Promise<void>) => unknown

/** What a behaviour asks of the runner. */
export interface RunContext {
  /** Marks the behaviour as skipped and prints why. */
  skip(reason: string): unknown
}

/** How hard the suite looks, or `outage`: what happens while the line or the broker fails. */
export type Mode = 'short' | 'normal' | 'stress' | 'outage'

/** A set of topics and a pattern for some of them. */
export interface PatternSample {
  /** The pattern to subscribe to. */
  readonly pattern: string
  /** Topics that it matches; at least two. */
  readonly matching: readonly string[]
  /** Topics that it does not match; at least one. */
  readonly other: readonly string[]
}

/**
 * What the broker under test promises beyond the adaptor's capabilities. A behaviour is skipped only where a capability or one
 * of these says that it cannot be shown.
 */
export interface Promises {
  /** An acknowledged message is still there after the broker was killed. */
  readonly acknowledgedSurvivesKill: boolean
  /** An acknowledged message is still there after the broker was stopped in an orderly way and started again. */
  readonly acknowledgedSurvivesRestart: boolean
  /** What a lasting subscription hangs on: the client's identity or the group's name; `undefined`: there is none. */
  readonly durableBy: 'identity' | 'group' | undefined
  /** The size of the large payload to try, in bytes. */
  readonly largePayloadBytes: number
  /** A size that is refused, in bytes; `undefined` where no size that can be tried is refused. */
  readonly refusedPayloadBytes: number | undefined
  /** The keep-alive of the links that `client()` leads to, in milliseconds, where it is short enough to wait for. */
  readonly keepAliveMs: number | undefined
  /**
   * The broker may hand what waited for a lasting subscription to it twice when it comes back, unmarked. Delivery is still
   * at least once; without this, a repeat of what was sent once and arrived on the same link is a fault. @default false
   */
  readonly repeatsOnResume?: boolean
  /**
   * The broker may mix what waited for a lasting subscription with what is published while it comes back, so that first arrivals are
   * out of order then. Without this, that is a fault of the adaptor. @default false
   */
  readonly reordersOnResume?: boolean
  /** The broker does not mark what it sends again, so that a position that is not unique tells nothing. @default false */
  readonly repeatsUnmarked?: boolean
  /** Within how many milliseconds a link notices that nothing answers any more. */
  readonly freezeNoticedMs: number
}

/**
 * Switches that make the line or the broker fail. Each is optional; what is missing skips the behaviours that need it.
 * They act on every link. The suite switches off what it has switched on.
 */
export interface Faults {
  /** Ends every connection in an orderly way (FIN). */
  readonly cut?: () => Promise<void> | void
  /** Resets every connection (RST). */
  readonly reset?: () => Promise<void> | void
  /** Everything takes this many milliseconds longer; 0 ends it. */
  readonly delay?: (ms: number) => Promise<void> | void
  /** Ends the broker at once, as with SIGKILL. `restart` follows. */
  readonly kill?: () => Promise<void> | void
  /** Stops the broker in an orderly way if it runs, and starts it; resolves when it accepts connections. */
  readonly restart?: () => Promise<void> | void
  /** Connections stay open and nothing goes through; `false` ends it. */
  readonly freeze?: (on: boolean) => Promise<void> | void
  /** The broker is not able to take the next messages, and says so. */
  readonly failNext?: (count: number) => Promise<void> | void
}

/** How patient the suite is. It waits for events; these bound the waiting. */
export interface Deadlines {
  /** How long anything that must happen may take, in milliseconds. @default 10_000 */
  readonly waitMs?: number
  /** For how long the suite watches that nothing happens, in milliseconds. @default 150 */
  readonly quietMs?: number
  /** How long `close()` may take with a broker that does not answer, in milliseconds. @default 6_000 */
  readonly closeMs?: number
}

/** Two topics that the broker, by its access rights, does not let the clients of this harness use. */
export interface ForbiddenTopics {
  /** Publishing to it is refused, where the link reports refusals. */
  readonly publish?: string
  /** Subscribing to it is refused. */
  readonly subscribe?: string
}

/**
 * Everything that the suite needs to know of an adaptor and of the broker that it runs against. Functions are called
 * inside the tests only, so the broker may be started in a hook of the runner.
 */
export interface Harness<Options = unknown> {
  /** The adaptor under test. */
  readonly adaptor: Adaptor<Options>
  /** What the broker under test promises. */
  readonly promises: Promises
  /** How patient the suite is. */
  readonly deadlines?: Deadlines
  /** Switches that make things fail. */
  readonly faults?: Faults
  /**
   * Makes a client that the broker accepts: a new identity at every call, which may publish and subscribe to whatever `topic()` and
   * `pattern()` give. Dialling the same value again is the same client coming back.
   *
   * @param kind - `durable`: one whose subscriptions outlive its links, where `durableBy` is `identity`
   */
  client(kind: 'plain' | 'durable'): Promise<DialRequest<Options>> | DialRequest<Options>
  /** A dial that the broker refuses for its credentials, or `undefined` where it accepts everybody. */
  stranger?(): Promise<DialRequest<Options>> | DialRequest<Options>
  /** A dial to a place where nothing answers, as with a closed port. */
  unreachable(): Promise<DialRequest<Options>> | DialRequest<Options>
  /** A topic that nobody else uses, ready to be used. `label` may be part of it. */
  topic(label: string): Promise<string> | string
  /** A group name that nobody else uses. */
  group(label: string): string
  /** Fresh topics and a pattern; needed where the capabilities say `patterns`. */
  pattern?(): Promise<PatternSample> | PatternSample
  /** Topics that the protocol does not allow, to publish to. At least one. */
  readonly badTopics: readonly string[]
  /** Topics that exist and are not for these clients. */
  readonly forbidden?: ForbiddenTopics
  /** Addresses and configurations that all lead to different links, to compare signatures of. At least two. */
  readonly configurations: readonly {
    readonly address: Address
    readonly config: Readonly<Record<string, unknown>>
  }[]
  /** Texts that may appear in no signature, peer or error: passwords, passphrases. */
  readonly secrets: readonly string[]
  /** How many connections of the adaptor under test are open now, seen from outside of it. */
  openSockets?(): Promise<number> | number
}

/** What is known about the adaptor and the broker when a behaviour is to be run. */
export interface Known {
  /** Capabilities of a link of a plain client. */
  readonly capabilities: Capabilities
  /** Capabilities of a link of a durable client. */
  readonly durable: Capabilities
  /** The harness. */
  readonly harness: Harness
}
