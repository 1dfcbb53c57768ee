import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { TLSSocket } from 'node:tls'

import type { Aedes, Client, PublishPacket } from 'aedes'

import { permits } from './topic-rules.ts'
import type { TopicRule } from './topic-rules.ts'

/** Who may come in, and what each may do. */
export interface GuardOptions {
  /** Passwords by user name, for clients without a certificate. Absent: everybody is let in under the name given. */
  readonly users?: Readonly<Record<string, string>> | undefined
  /** Who may do what. Absent: everybody may publish and subscribe everywhere, but in `$SYS`. */
  readonly rules?: readonly TopicRule[] | undefined
  /** A larger publish ends its client. @default 1 MiB */
  readonly maxPayloadBytes?: number | undefined
  /** Told of everything that was refused. */
  readonly onRefused?: ((refusal: Refusal) => void) | undefined
}

/** Something that the broker did not let happen. */
export interface Refusal {
  /** Which step was refused. */
  readonly step: 'handshake' | 'connect' | 'publish' | 'subscribe'
  /** Who tried, where that is known. */
  readonly identity: string | undefined
  /** The topic or filter of a publish or subscribe. */
  readonly topic: string | undefined
  /** Why, in words. */
  readonly reason: string
}

/** A client that is connected now. */
export interface BrokerConnection {
  /** Who it is: common name of the certificate, or user name; `anonymous` without either. */
  readonly identity: string
  /** Its MQTT client id. */
  readonly clientId: string
  /** The name of the listener it came in by. */
  readonly listener: string
  /** Its TLS version and cipher suite, or `undefined` in plaintext. */
  readonly tls: { readonly version: string; readonly cipher: string } | undefined
}

/** What is known of a client before its CONNECT. */
interface Origin {
  readonly listener: string
  readonly certificateName: string | undefined
  readonly tls: BrokerConnection['tls']
}

/** Who is who at the embedded broker, and who may do what. */
export class BrokerGuard {
  readonly #options: GuardOptions
  readonly #origins = new WeakMap<Duplex, Origin>()
  readonly #identities = new WeakMap<Client, string>()
  /** By client id: whose session it is. Entries of clean sessions go with their connection. */
  readonly #owners = new Map<string, string>()
  readonly #connected = new Set<Client>()
  readonly #taken = new WeakSet<PublishPacket>()
  readonly #turns = new WeakMap<Client, Promise<Error | undefined>>()
  #publish: (packet: PublishPacket, client: Client) => Promise<Error | undefined> = () =>
    Promise.resolve(undefined)

  /** @param options - users, rules and limits */
  constructor(options: GuardOptions) {
    this.#options = options
  }

  /** Notes where a stream comes from, before the broker reads from it. */
  arrived(stream: Duplex, listener: string, socket: Socket): void {
    const secure = socket instanceof TLSSocket ? socket : undefined
    this.#origins.set(stream, {
      listener,
      certificateName: secure?.authorized === true ? commonName(secure) : undefined,
      tls: secure && { version: secure.getProtocol() ?? 'unknown', cipher: secure.getCipher().standardName },
    })
  }

  /** Decides who a client is, or gives the refusal with the `returnCode` of CONNACK. */
  authenticate(client: Client, user: string | undefined, password: Buffer | undefined): Error | undefined {
    const certificateName = this.#origins.get(client.conn)?.certificateName
    const { users } = this.#options
    if (certificateName === undefined && users !== undefined) {
      const known = user !== undefined && Object.hasOwn(users, user) && users[user] === password?.toString()
      if (!known) return this.#refuse('connect', user, undefined, 'unknown user or wrong password', 4)
    }
    const identity = certificateName ?? user ?? 'anonymous'
    if ((this.#owners.get(client.id) ?? identity) !== identity) {
      return this.#refuse('connect', identity, undefined, 'the client id belongs to somebody else', 2)
    }
    this.#identities.set(client, identity)
    return undefined
  }

  /** Decides over a publish or a will, takes it, and only then lets the broker acknowledge it. */
  authorizePublish(client: Client | null, packet: PublishPacket, done: (error?: Error | null) => void): void {
    const identity = client === null ? undefined : this.#identities.get(client)
    if (client === null || identity === undefined) return done()
    const { rules, maxPayloadBytes = 1024 ** 2 } = this.#options
    if (packet.payload.length > maxPayloadBytes) {
      return done(this.#refuse('publish', identity, packet.topic, 'the message is too large'))
    }
    if (!permits(rules, identity, 'publish', packet.topic)) {
      return done(this.#refuse('publish', identity, packet.topic, 'no rule allows it'))
    }
    // a will reaches here without a packet id, and is not acknowledged
    if (packet.qos !== 1 || packet.messageId === undefined) return done()
    const published = this.#publish(packet, client)
    const turn = (this.#turns.get(client) ?? Promise.resolve()).then(() => published)
    this.#turns.set(client, turn)
    void this.#acknowledge(turn, done)
  }

  async #acknowledge(turn: Promise<Error | undefined>, done: (error?: Error | null) => void): Promise<void> {
    done(await turn)
  }

  /** Decides over a subscription. */
  maySubscribe(client: Client, filter: string): boolean {
    const identity = this.#identities.get(client)
    if (identity !== undefined && permits(this.#options.rules, identity, 'subscribe', filter)) return true
    this.#refuse('subscribe', identity, filter, 'no rule allows it')
    return false
  }

  /**
   * Makes the broker take a QoS 1 message in `authorizePublish`, which it awaits, and pass over the publish that it
   * makes by itself after it has written the acknowledgement.
   */
  takeFirst(broker: Aedes): void {
    const publish = Reflect.get(broker, 'publish')
    this.#publish = (packet, client) =>
      new Promise((resolve) => {
        this.#taken.add(packet)
        Reflect.apply(publish, broker, [packet, client, resolve])
      })
    broker.publish = (packet: PublishPacket, ...rest: readonly unknown[]): void => {
      const done = rest.at(-1)
      if (!this.#taken.delete(packet)) Reflect.apply(publish, broker, [packet, ...rest])
      else if (typeof done === 'function') done()
    }
  }

  /** Notes a client that was let in. */
  connected(client: Client): void {
    this.#connected.add(client)
    this.#owners.set(client.id, this.#identities.get(client) ?? '')
  }

  /** Notes that a client is gone. */
  disconnected(client: Client): void {
    this.#connected.delete(client)
    if (client.clean) this.#owners.delete(client.id)
  }

  /** The clients that are connected now. */
  connections(): BrokerConnection[] {
    return Array.from(this.#connected, (client) => {
      const origin = this.#origins.get(client.conn)
      return {
        identity: this.#identities.get(client) ?? 'anonymous',
        clientId: client.id,
        listener: origin?.listener ?? '',
        tls: origin?.tls,
      }
    })
  }

  /** Tells of a failed handshake. */
  handshakeFailed(error: Error, socket: TLSSocket): void {
    // Node ends the socket of a certificate that it does not trust without an error of its own
    const reason = socket.authorizationError ?? error
    this.#refuse('handshake', undefined, undefined, reason instanceof Error ? reason.message : String(reason))
  }

  #refuse(
    step: Refusal['step'],
    identity: string | undefined,
    topic: string | undefined,
    reason: string,
    returnCode = 5,
  ): Error {
    this.#options.onRefused?.({ step, identity, topic, reason })
    return Object.assign(new Error(reason), { returnCode })
  }
}

function commonName(socket: TLSSocket): string | undefined {
  const name: unknown = socket.getPeerCertificate().subject?.CN
  return typeof name === 'string' ? name : undefined
}
