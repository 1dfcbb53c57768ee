import type { PeerFacts } from './cloud-messages.ts'

/** What the demo has seen. What it did not come to is absent, and counts against it. */
export interface DemoFacts {
  /** The device's end of its link, as its log tells. */
  readonly device?: PeerFacts | undefined
  /** The cloud's end of its link, as that process tells. */
  readonly cloud?: PeerFacts | undefined
  /** Who was connected, as the broker saw it. */
  readonly identities?: readonly string[] | undefined
  /** How the ping was answered. */
  readonly ping?: { readonly ok: boolean; readonly device: string; readonly afterMs: number } | undefined
  /** How the cut went. */
  readonly cut?:
    | {
        /** How long the line was cut. */
        readonly forMs: number
        /** How many messages waited at the device when it was mended. */
        readonly waited: number
        /** How long after that the device was connected and nothing waited any more. */
        readonly healedAfterMs: number
      }
    | undefined
  /** How the certificate of another CA was met. */
  readonly stranger?:
    | {
        /** True when a connection came about. */
        readonly letIn: boolean
        /** The broker's reason. */
        readonly reason: string | undefined
      }
    | undefined
  /** How the device's own certificate fared at somebody else's topics. */
  readonly trespass?:
    | { readonly publishRefused: boolean; readonly subscribeRefused: boolean; readonly arrived: number }
    | undefined
  /** The device's account at its end. */
  readonly sent?:
    | {
        /** Detections that it accepted for sending. */
        readonly detections: number
        /** All messages that it accepted, and what became of them. */
        readonly accepted: number
        /** Acknowledged by the broker. */
        readonly delivered: number
        /** Left over, refused for good, or dropped. */
        readonly notDelivered: number
      }
    | undefined
  /** What came to the cloud. */
  readonly received?:
    | {
        /** Detections with ids of their own. */
        readonly distinct: number
        /** Deliveries of an id that was there already: at least once allows them. */
        readonly repeated: number
        /** Messages that could not be read. */
        readonly unreadable: number
        /** First arrivals that were not in the order of sending. */
        readonly outOfOrder: number
      }
    | undefined
  /** The exit code of the device's process, which was told to stop. */
  readonly deviceExit?: number | undefined
}

/** One thing that the demo is to show. */
export interface Proof {
  /** What. */
  readonly name: string
  /** Whether it held. */
  readonly held: boolean
  /** What was seen. */
  readonly detail: string
}

const NOT_REACHED = 'the demo did not come so far'

/** Judges what was seen. Only what was seen counts. */
export function judge(facts: DemoFacts, device: string, cloud: string): Proof[] {
  return [
    ...links(facts, device, cloud),
    proof('a command is answered', facts.ping, ({ ok, device: by, afterMs }) => [
      ok && by === device,
      ok ? `ping, answered by ${by} in ${Math.round(afterMs)} ms` : `${by} answered with an error`,
    ]),
    proof('the line heals', facts.cut, ({ forMs, waited, healedAfterMs }) => [
      forMs >= 3000 && waited > 0,
      `cut for ${seconds(forMs)}, ${waited} messages waited, all well ${seconds(healedAfterMs)} later`,
    ]),
    ...counts(facts),
    proof('a stranger is refused', facts.stranger, ({ letIn, reason }) => [
      !letIn && reason !== undefined,
      letIn ? 'a certificate of another CA was let in' : (reason ?? 'the broker did not notice it'),
    ]),
    proof('each to its own topics', facts.trespass, ({ publishRefused, subscribeRefused, arrived }) => [
      publishRefused && subscribeRefused && arrived === 0,
      `publish ${word(publishRefused)}, subscribe ${word(subscribeRefused)}, ${arrived} came through`,
    ]),
  ]
}

function links({ device, cloud, identities }: DemoFacts, deviceName: string, cloudName: string): Proof[] {
  return [
    proof('mutual TLS', both(device, cloud), ([here, there]) => [
      isMutual(here) && isMutual(there),
      [here, there].map(shown).every((text, _index, all) => text === all[0])
        ? `${shown(here)}, certificates verified on both sides`
        : `device ${shown(here)}; cloud ${shown(there)}`,
    ]),
    proof('both identities', both(device, identities), ([{ tls }, names]) => [
      [deviceName, cloudName].every((name) => names.includes(name)) &&
        tls?.own?.includes(deviceName) === true &&
        tls.peer !== '',
      `the device sees "${tls?.peer ?? 'nobody'}", the broker sees "${[...new Set(names)].join('" and "')}"`,
    ]),
  ]
}

function counts({ sent, received, deviceExit }: DemoFacts): Proof[] {
  const counted = both(sent, received)
  return [
    proof('nothing is lost', counted, ([out, into]) => [
      out.detections > 0 &&
        into.distinct === out.detections &&
        into.unreadable === 0 &&
        out.delivered === out.accepted &&
        out.notDelivered === 0,
      `${out.detections} detections sent, ${into.distinct} received, ${repeats(into.repeated)}, ${out.notDelivered} left over`,
    ]),
    proof('order is kept', counted, ([, { distinct, outOfOrder }]) => [
      distinct > 0 && outOfOrder === 0,
      outOfOrder === 0 ? 'every first arrival in the order of sending' : `${outOfOrder} came out of order`,
    ]),
    proof('the device ends well', both(deviceExit, sent), ([code]) => [
      code === 0,
      code === 0 ? 'told to stop, it sent what it held and ended with 0' : `it ended with ${code}`,
    ]),
  ]
}

function proof<T>(
  name: string,
  seen: T | undefined,
  look: (seen: T) => [held: boolean, detail: string],
): Proof {
  const [held, detail] = seen === undefined ? [false, NOT_REACHED] : look(seen)
  return { name, held, detail }
}

function both<A, B>(a: A | undefined, b: B | undefined): [A, B] | undefined {
  return a === undefined || b === undefined ? undefined : [a, b]
}

/** TLS, our certificate offered, theirs verified. */
function isMutual({ tls }: PeerFacts): boolean {
  return tls !== undefined && tls.verified && tls.own !== undefined && /^TLSv1\.[23]$/.test(tls.version)
}

function shown({ protocol, tls }: PeerFacts): string {
  return tls === undefined ? `${protocol} in plaintext` : `${protocol} over ${tls.version}, ${tls.cipher}`
}

function repeats(count: number): string {
  return count === 0 ? 'each once' : `${count} repeats told apart by their ids`
}

function word(refused: boolean): string {
  return refused ? 'refused' : 'not refused'
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}
