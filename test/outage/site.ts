import type { ConnectOptions } from '../../src/client/index.ts'
import type { TestBroker } from '../brokers/index.ts'
import type { FaultProxy } from '../fault/proxy.ts'

/** Under which name a message carries its id, in MQTT and in Kafka. */
export const ID_NAME = 'backhaul-id'

/** Ways in which a broker is away: ended in an orderly way, halted, killed, or cut off by resets on the line. */
export type Fault = 'stopped' | 'frozen' | 'killed' | 'reset'

/** A message as it came out at the broker's other side. */
export interface Arrival {
  /** Its payload as text. */
  readonly text: string
  /** The id that it carried. */
  readonly id: string
  /** When it came, in milliseconds since 1970. */
  readonly atMs: number
}

/** A real broker that can be taken away, seen from a sender, and from an independent program at its other side. */
export interface OutageSite extends AsyncDisposable {
  /** Where the sender connects to: through the fault proxy. */
  readonly url: string
  /** What the sender connects with, beside its outbox. */
  readonly options: ConnectOptions
  /** Makes a topic that keeps what comes. */
  topic(label: string): Promise<string>
  /** Takes the broker away. */
  begin(fault: Fault): Promise<void>
  /** Brings it back. */
  end(fault: Fault): Promise<void>
  /** Resolves as soon as an independent client, which goes the same way, has had a message acknowledged. */
  answers(): Promise<void>
  /** Everything that came to a topic, in order: at least `count` different messages, or what there was after 60 s. */
  arrivals(topic: string, count: number): Promise<readonly Arrival[]>
}

/** An adaptor with its broker: one row of the table. */
export interface OutageRow {
  /** For titles. */
  readonly name: string
  /** What its broker can suffer without losing what it has acknowledged. */
  readonly faults: readonly Fault[]
  /** Why it cannot run here, or false. */
  readonly skip: () => string | false
  /** Starts the broker. `quick`: with timeouts that notice a hung broker within a second or two. */
  readonly start: (quick: boolean) => Promise<OutageSite>
}

/** What every real broker does when it is taken away. */
export function faultsOf(
  broker: Pick<TestBroker, 'shutDown' | 'kill' | 'freeze' | 'thaw' | 'restart'>,
  proxy: FaultProxy,
): Pick<OutageSite, 'begin' | 'end'> {
  return {
    async begin(fault) {
      if (fault === 'stopped') await broker.shutDown()
      else if (fault === 'killed') await broker.kill()
      else if (fault === 'frozen') broker.freeze()
      else {
        await proxy.refuse(true)
        proxy.reset()
      }
    },
    async end(fault) {
      if (fault === 'frozen') broker.thaw()
      else if (fault === 'reset') await proxy.refuse(false)
      else await broker.restart()
    },
  }
}
