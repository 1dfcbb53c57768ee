import process from 'node:process'

import type { Auth } from '../../../contract/index.ts'
import { BackhaulError } from '../../../contract/index.ts'
import { deferred } from '../../../kit/deferred.ts'
import { packageVersion } from '../../../kit/version.ts'
import { dialRefused } from '../errors.ts'
import type { AmqpOptions } from '../options.ts'
import type { Cursor } from '../wire/cursor.ts'
import type { WritableTable } from '../wire/method-writer.ts'
import * as methods from '../wire/methods.ts'
import { METHOD, MIN_FRAME_MAX, PROTOCOL_HEADER } from '../wire/protocol.ts'
import type { AmqpConnection, Terms } from './connection.ts'
import { readRefusal } from './connection.ts'

/*
 * From the first byte to an open connection:
 *
 *   protocol header ─▶  ◀─ start (mechanisms)
 *   start-ok (mechanism, proof) ─▶  ◀─ tune (limits), or close 403: bad credentials
 *   tune-ok, open (virtual host) ─▶  ◀─ open-ok, or close 530: no such virtual host, or not for this user
 */

/** RabbitMQ's own user, which it lets in from its own machine only; what every client of AMQP tries where none is named. */
const NOBODY: Auth = { user: 'guest', password: 'guest' }

const CAPABILITIES = {
  publisher_confirms: true,
  'basic.nack': true,
  consumer_cancel_notify: true,
  'connection.blocked': true,
  authentication_failure_close: true,
}

/** How somebody proves itself. */
interface Proof {
  readonly mechanism: string
  readonly response: string
  /** For messages: never holds a secret. */
  readonly who: string
}

/** Who introduces itself. */
export interface Introduced {
  /** User and password, or `undefined` for none. */
  readonly auth: Auth | undefined
  /** Whether a client certificate was offered. */
  readonly offersCertificate: boolean
}

/**
 * Introduces us to the broker and begins the connection. The end of the connection is told by its watcher, not here.
 *
 * @throws BackhaulError the refusal of the broker
 */
export async function introduce(
  connection: AmqpConnection,
  options: AmqpOptions,
  introduced: Introduced,
): Promise<void> {
  const done = deferred<Terms>()
  const proof = new Introduction(connection, options, introduced, done.resolve, done.reject)
  connection.onIntroduction = (method, args) => proof.take(method, args)
  connection.output.append(PROTOCOL_HEADER)
  connection.output.flush()
  connection.begin(await done.promise)
}

class Introduction {
  readonly #connection: AmqpConnection
  readonly #options: AmqpOptions
  readonly #introduced: Introduced
  readonly #done: (terms: Terms) => void
  readonly #fail: (error: BackhaulError) => void
  #who = 'us'
  #terms: Terms | undefined

  constructor(
    connection: AmqpConnection,
    options: AmqpOptions,
    introduced: Introduced,
    done: (terms: Terms) => void,
    fail: (error: BackhaulError) => void,
  ) {
    this.#connection = connection
    this.#options = options
    this.#introduced = introduced
    this.#done = done
    this.#fail = fail
  }

  take(method: number, args: Cursor): void {
    switch (method) {
      case METHOD.start:
        this.#start(args)
        return
      case METHOD.tune:
        this.#tune(args)
        return
      case METHOD.openOk:
        if (this.#terms === undefined) break
        this.#done(this.#terms)
        return
      case METHOD.close:
        this.#write(methods.closeOk(0))
        this.#fail(dialRefused(this.#connection.address, readRefusal(args), this.#who))
        return
      default:
    }
    throw new RangeError(`the method ${method >> 16}.${method & 0xffff} in the introduction`)
  }

  #start(args: Cursor): void {
    const [major, minor] = [args.u8(), args.u8()]
    if (major !== 0 || minor !== 9) throw new RangeError(`version ${major}.${minor} of AMQP`)
    args.table()
    const offered = args.longText().split(' ')
    try {
      const { mechanism, response, who } = proofOf(
        this.#options,
        this.#introduced,
        offered,
        this.#connection.address,
      )
      this.#who = who
      this.#write(methods.startOk(propertiesOf(this.#options), mechanism, response))
    } catch (error) {
      if (!(error instanceof BackhaulError)) throw error
      this.#fail(error)
    }
  }

  #tune(args: Cursor): void {
    const [channelMax, frameMax] = [args.u16(), args.u32()]
    const { frameMaxBytes, heartbeatSeconds, virtualHost } = this.#options
    const terms: Terms = {
      channelMax: channelMax === 0 ? 65_535 : channelMax,
      frameMax: Math.max(MIN_FRAME_MAX, Math.min(frameMax === 0 ? frameMaxBytes : frameMax, frameMaxBytes)),
      heartbeatSeconds,
    }
    this.#terms = terms
    this.#write(methods.tuneOk(terms.channelMax, terms.frameMax, heartbeatSeconds))
    this.#write(methods.open(virtualHost))
  }

  #write(frame: Buffer): void {
    this.#connection.output.append(frame)
    this.#connection.output.flush()
  }
}

function proofOf(
  { mechanism }: AmqpOptions,
  { auth, offersCertificate }: Introduced,
  offered: readonly string[],
  address: string,
): Proof {
  const chosen =
    mechanism === 'auto' ? (auth === undefined && offersCertificate ? 'EXTERNAL' : 'PLAIN') : mechanism
  const cannot = `Cannot connect to ${address}`
  if (chosen === 'EXTERNAL' && !offersCertificate) {
    throw new BackhaulError(
      'BAD_CREDENTIALS',
      `${cannot}: EXTERNAL is proof by a client certificate and there is none, give tls.cert and tls.key`,
      undefined,
      { scope: 'link' },
    )
  }
  if (!offered.includes(chosen)) {
    const fix =
      chosen === 'EXTERNAL'
        ? 'enable its plugin rabbitmq_auth_mechanism_ssl, or give a user and password'
        : 'enable it at the broker, or choose another mechanism'
    throw new BackhaulError(
      'BAD_CREDENTIALS',
      `${cannot}: the broker does not offer ${chosen} (only ${offered.join(', ')}), ${fix}`,
      undefined,
      { scope: 'link' },
    )
  }
  if (chosen === 'EXTERNAL') return { mechanism: chosen, response: '', who: 'our certificate' }
  const { user, password = '' } = auth ?? NOBODY
  return { mechanism: chosen, response: `\0${user}\0${password}`, who: nameOf(auth) }
}

function nameOf(auth: Auth | undefined): string {
  if (auth === undefined) return 'the user "guest" (none is given)'
  return auth.user === '' ? 'our token' : `the user "${auth.user}" or its password`
}

function propertiesOf({ clientName }: AmqpOptions): WritableTable {
  return {
    product: 'Backhaul',
    version: packageVersion(),
    platform: `Node.js ${process.version}`,
    connection_name: clientName,
    capabilities: CAPABILITIES,
  }
}
