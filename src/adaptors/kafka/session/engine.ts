import type { BackhaulError, Clock, Peer, SubscribeOptions } from '../../../contract/index.ts'
import { GroupReader } from '../consume/group-reader.ts'
import type { Reader, ReaderWatcher } from '../consume/reader.ts'
import { FreeReader } from '../consume/reader.ts'
import type { Engine } from '../engine.ts'
import type { KafkaOptions } from '../options.ts'
import { Producer } from '../produce/producer.ts'
import type { ClusterSetup } from './cluster.ts'
import { Cluster } from './cluster.ts'

/** The default driver: our own session to each broker of the cluster. */
export class SessionEngine implements Engine {
  /** See {@link Engine.publisher}. */
  readonly publisher: Producer
  /** See {@link Engine.ended}. Sockets are closed at once. */
  readonly ended: Promise<void> = Promise.resolve()
  readonly #cluster: Cluster

  /** @param onLost - called when the link must end */
  constructor(setup: ClusterSetup, onLost: (error: BackhaulError) => void) {
    this.#cluster = new Cluster(setup, onLost)
    this.publisher = new Producer(this.#cluster, onLost)
  }

  /** See {@link Engine.options}. */
  get options(): KafkaOptions {
    return this.#cluster.options
  }

  /** See {@link Engine.clock}. */
  get clock(): Clock {
    return this.#cluster.clock
  }

  /** See {@link Engine.peer}. */
  get peer(): Peer {
    const { address, tls } = this.#cluster.first
    return { protocol: 'Kafka', address, tls }
  }

  /** See {@link Engine.dial}. */
  dial(signal: AbortSignal): Promise<void> {
    return this.#cluster.dial(signal)
  }

  /** See {@link Engine.reader}. */
  reader(topics: readonly string[], options: SubscribeOptions, watcher: ReaderWatcher): Reader {
    return options.group === undefined
      ? new FreeReader(this.#cluster, topics, options, watcher)
      : new GroupReader(this.#cluster, options.group, topics, options, watcher)
  }

  /** See {@link Engine.look}. */
  look(now: number): void {
    this.#cluster.look(now)
    this.publisher.look(now)
  }

  /** See {@link Engine.end}. */
  end(error: BackhaulError): void {
    this.#cluster.close(error)
    this.publisher.end(error)
  }
}
