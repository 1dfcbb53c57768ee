import type { Duplex } from 'node:stream'

import type { BackhaulError, Clock, PeerTls, Timer } from '../../../contract/index.ts'
import { deferred } from '../../../kit/deferred.ts'
import { networkError } from '../../../kit/network-errors.ts'
import { Output } from '../../shared/mqtt/output.ts'
import type { OpenSocket } from '../../shared/socket.ts'
import type { Refusal } from '../errors.ts'
import { closed, late, lostBy, violation } from '../errors.ts'
import { Cursor } from '../wire/cursor.ts'
import { FrameSplitter } from '../wire/frames.ts'
import * as methods from '../wire/methods.ts'
import { FRAME, METHOD, MIN_FRAME_MAX, REPLY } from '../wire/protocol.ts'

/*
 * One connection to one broker: frames both ways, the channels that share it, and the heartbeat.
 *
 * States: introducing (the broker's methods go to `onIntroduction`), open, closing (our goodbye is out), ended. It ends once, in
 * `#finish(error)`; then all channels end, and whoever opened it is told, unless it asked for the end itself.
 *
 * Heartbeat: a broker sends something at least twice in `heartbeatSeconds`. When nothing came for twice that time, it is dead. The verdict
 * waits for one round of reading, so that a program that blocked its own event loop does not blame the broker.
 */

const HEARTBEAT = Buffer.of(FRAME.heartbeat, 0, 0, 0, 0, 0, 0, 0xce)

/** What a channel is to its connection. */
export interface FrameTaker {
  /** A frame of this channel; see `TakeFrame`. What it throws ends the connection as a violation. */
  take(kind: number, bytes: Buffer, from: number, to: number): void
  /** The connection has ended. */
  end(error: BackhaulError): void
}

/** What was agreed on with the broker. */
export interface Terms {
  /** The largest frame, in bytes. */
  readonly frameMax: number
  /** The highest number of a channel. */
  readonly channelMax: number
  /** 0: none. */
  readonly heartbeatSeconds: number
}

/** Who hears of a connection. */
export interface ConnectionWatcher {
  /** It ended other than by `close()`. */
  lost(error: BackhaulError): void
  /** The broker takes messages again, or the socket bytes. */
  drained(): void
}

/** One connection to one broker. */
export class AmqpConnection {
  /** Host and port. */
  readonly address: string
  /** The TLS session, or `undefined` for plaintext. */
  readonly tls: PeerTls | undefined
  /** Where frames are written. */
  readonly output: Output
  /** Takes the methods of the connection until it is open, with their arguments. */
  onIntroduction: ((method: number, args: Cursor) => void) | undefined
  /** Why the broker takes no messages, or `undefined` while it does. */
  blockedReason: string | undefined
  readonly #stream: Duplex
  readonly #socket: OpenSocket
  readonly #clock: Clock
  readonly #watcher: ConnectionWatcher
  readonly #splitter: FrameSplitter
  readonly #channels = new Map<number, FrameTaker>()
  readonly #gone = deferred()
  #terms: Terms = { frameMax: MIN_FRAME_MAX, channelMax: 1, heartbeatSeconds: 0 }
  #timer: Timer | undefined
  #verdict: NodeJS.Immediate | undefined
  #lastReadMs: number
  #answered = false
  #ended: BackhaulError | undefined

  constructor(socket: OpenSocket, address: string, clock: Clock, watcher: ConnectionWatcher) {
    this.#socket = socket
    this.#stream = socket.stream
    this.#clock = clock
    this.#watcher = watcher
    this.address = address
    this.tls = socket.tls
    this.#lastReadMs = clock.monotonic()
    this.output = new Output(this.#stream, () => clock.monotonic(), {
      onDrain: () => watcher.drained(),
      onFlood: () => undefined,
    })
    this.#splitter = new FrameSplitter(MIN_FRAME_MAX * 4, (kind, channel, bytes, from, to) =>
      this.#dispatch(kind, channel, bytes, from, to),
    )
    const end = (cause?: unknown) => this.end(networkError(cause, this.#context()))
    this.#stream.on('data', (chunk: Buffer) => this.#read(chunk))
    this.#stream.on('error', end)
    this.#stream.on('end', () => end())
    this.#stream.on('close', () => end())
  }

  /** What was agreed on. */
  get terms(): Terms {
    return this.#terms
  }

  /** Why it ended, or `undefined` while it is open. */
  get ended(): BackhaulError | undefined {
    return this.#ended
  }

  /** True while messages must wait: the broker said so, or the socket does not keep up. */
  get holdsBack(): boolean {
    return this.blockedReason !== undefined || this.output.blocked
  }

  /** The introduction is done. */
  begin(terms: Terms): void {
    this.#terms = terms
    this.#splitter.limitTo(terms.frameMax)
    this.onIntroduction = undefined
    if (terms.heartbeatSeconds > 0) this.#beat()
  }

  /** Gives a channel the lowest number that is free. */
  join(channel: FrameTaker): number {
    let number = 1
    while (this.#channels.has(number)) number += 1
    if (number > this.#terms.channelMax) throw new RangeError('no channel is left')
    this.#channels.set(number, channel)
    return number
  }

  /** The number of a channel is free again. */
  leave(number: number): void {
    this.#channels.delete(number)
  }

  /** Says goodbye and waits for the answer, at most `limitMs` milliseconds. A broker that blocks us reads no goodbye. */
  async close(limitMs: number): Promise<void> {
    if (this.#ended === undefined && this.blockedReason === undefined) {
      this.output.append(methods.close(0, REPLY.success, 'Goodbye'))
      this.output.flush()
      const timer = this.#clock.after(limitMs, () => this.#gone.resolve())
      await this.#gone.promise
      timer.cancel()
    }
    this.#finish(closed(this.address))
  }

  /** Ends it for a reason, at once; whoever opened it is told. */
  end(error: BackhaulError): void {
    if (this.#ended !== undefined) return
    this.#finish(error)
    this.#watcher.lost(error)
  }

  /** Ends it without a word to whoever opened it. */
  drop(error: BackhaulError): void {
    this.#finish(error)
  }

  #finish(error: BackhaulError): void {
    if (this.#ended !== undefined) return
    this.#ended = error
    this.#timer?.cancel()
    if (this.#verdict !== undefined) clearImmediate(this.#verdict)
    this.output.close()
    this.#stream.destroy()
    this.#gone.resolve()
    const channels = [...this.#channels.values()]
    this.#channels.clear()
    for (const channel of channels) channel.end(error)
  }

  #read(chunk: Buffer): void {
    if (this.#ended !== undefined) return
    this.#lastReadMs = this.#clock.monotonic()
    try {
      this.#splitter.push(chunk)
    } catch (cause) {
      this.end(violation(this.address, cause))
    }
  }

  #dispatch(kind: number, channel: number, bytes: Buffer, from: number, to: number): void {
    if (this.#ended !== undefined) return
    this.#answered = true
    if (channel !== 0) this.#channels.get(channel)?.take(kind, bytes, from, to)
    else if (kind === FRAME.method) this.#take(new Cursor(bytes, from, to))
    else if (kind !== FRAME.heartbeat) throw new RangeError(`a frame of the unknown kind ${kind}`)
  }

  /** A method of the connection itself. */
  #take(args: Cursor): void {
    const method = args.u32()
    if (this.onIntroduction !== undefined) {
      this.onIntroduction(method, args)
      return
    }
    switch (method) {
      case METHOD.close: {
        this.output.append(methods.closeOk(0))
        this.output.flush()
        this.end(lostBy(this.address, readRefusal(args)))
        return
      }
      case METHOD.closeOk:
        this.#gone.resolve()
        return
      case METHOD.blocked:
        this.blockedReason = args.shortText()
        return
      case METHOD.unblocked:
        this.blockedReason = undefined
        this.#watcher.drained()
        return
      default:
        throw new RangeError(`the method ${method >> 16}.${method & 0xffff} where it makes no sense`)
    }
  }

  #beat(): void {
    const { heartbeatSeconds } = this.#terms
    this.#timer = this.#clock.after(heartbeatSeconds * 500, () => {
      if (this.#isDead()) this.#judge()
      const quietMs = this.#clock.monotonic() - this.output.lastWriteMs
      if (quietMs >= heartbeatSeconds * 450) {
        this.output.append(HEARTBEAT)
        this.output.flush()
      }
      this.#beat()
    })
  }

  #judge(): void {
    this.#verdict ??= setImmediate(() => {
      // the first one may come before the socket is looked at, the second one comes after
      this.#verdict = setImmediate(() => {
        this.#verdict = undefined
        const { heartbeatSeconds } = this.#terms
        if (this.#isDead()) this.end(late(this.address, 'send anything', heartbeatSeconds * 2000))
      })
    })
  }

  #isDead(): boolean {
    return this.#clock.monotonic() - this.#lastReadMs >= this.#terms.heartbeatSeconds * 2000
  }

  #context() {
    return { ...this.#socket.context, phase: this.#answered ? ('open' as const) : ('answer' as const) }
  }
}

/** Reads how the broker ended a connection or a channel. */
export function readRefusal(args: Cursor): Refusal {
  return { code: args.u16(), text: args.shortText() }
}
