import { generate } from 'mqtt-packet'
import type { Packet } from 'mqtt-packet'

import type {
  Clock,
  Deliveries,
  Message,
  PeerTls,
  Settle,
  SubscribeOptions,
  Timer,
} from '../../../contract/index.ts'
import { BackhaulError } from '../../../contract/index.ts'
import { deferred } from '../../../kit/deferred.ts'
import { networkError } from '../../../kit/network-errors.ts'
import { PacketDecoder } from './decode.ts'
import { decodePublish } from './decode-publish.ts'
import type { DialCredentials, Dialled } from './dial.ts'
import { dialSession } from './dial.ts'
import { violation } from './handshake.ts'
import { Inbound } from './inbound.ts'
import { KeepAlive } from './keep-alive.ts'
import { Outbound } from './outbound.ts'
import { Output } from './output.ts'
import { PROTOCOL_VIOLATION, ProtocolViolation } from './protocol-error.ts'
import { brokerReason, refusal } from './reasons.ts'
import { Requests } from './requests.ts'
import type { MqttSettings, ProtocolLevel, SessionFacts, SessionTools } from './settings.ts'
import { Subscriber } from './subscriber.ts'

/*
 * One MQTT session over one connection, from CONNACK to its end. This file only joins the parts: what goes out is in
 * outbound.ts, what comes in is in inbound.ts, subscribing is in subscriber.ts, the bytes are in output.ts and frames.ts.
 *
 * States: open, closing (close() was called: what is published is still settled, nothing new is taken, what comes in is left
 * to the broker), ended. There is one way to end, `#end(error)`; it is taken once, leaves no socket, timer or promise
 * behind, and tells everyone: publishes fail, readers end, requests fail, `lost` settles.
 *
 * Whatever the peer sends, the worst outcome is that end with PROTOCOL_ERROR. MQTT 5 peers are told why by DISCONNECT.
 */

const CLOSE_MS = 5000
const PUBLISH = 3
const PUBACK = 0x40
const NO_MATCHING_SUBSCRIBERS = 0x10
const PINGREQ = Buffer.of(0xc0, 0)
const DISCONNECT = Buffer.of(0xe0, 0)
const FLOOD = 'packets to be answered without end, and did not read the answers'
const V5 = { protocolVersion: 5 }

/** An open session. */
export class MqttSession {
  /** What the broker granted. */
  readonly facts: SessionFacts
  /** Host and port of the broker. */
  readonly address: string
  /** The TLS session, or `undefined` for plaintext. */
  readonly tls: PeerTls | undefined
  /** See `Link.lost`. */
  readonly lost: Promise<BackhaulError>

  readonly #dialled: Dialled
  readonly #settings: MqttSettings
  readonly #clock: Clock
  readonly #output: Output
  readonly #outbound: Outbound
  readonly #inbound: Inbound
  readonly #requests: Requests
  readonly #subscriber: Subscriber
  readonly #keepAlive: KeepAlive
  readonly #decoder: PacketDecoder
  readonly #lost = deferred<BackhaulError>()
  #watchdog: Timer | undefined
  #verdict: NodeJS.Immediate | undefined
  #idle = deferred()
  #paused = false
  #closing: Promise<void> | undefined
  #ended = false

  /** Takes over an accepted session; use {@link openSession}. */
  constructor(dialled: Dialled, settings: MqttSettings, tools: SessionTools) {
    const { facts } = dialled
    const { clock } = tools
    this.#dialled = dialled
    this.#settings = settings
    this.#clock = clock
    this.facts = facts
    this.address = dialled.address
    this.tls = dialled.tls
    this.lost = this.#lost.promise
    this.#decoder = new PacketDecoder(facts.level)
    const now = (): number => clock.monotonic()
    this.#output = new Output(dialled.socket.stream, now, {
      onDrain: () => this.#outbound.pump(),
      onFlood: () => this.#end(violation(this.address, new ProtocolViolation(FLOOD))),
    })
    this.#outbound = new Outbound(this.#output, facts, {
      qos: settings.qos > facts.maxQos ? facts.maxQos : settings.qos,
      retain: settings.retain,
      now,
      onIdle: () => this.#idle.resolve(),
    })
    this.#inbound = new Inbound(this.#output, facts, {
      receiveMaximum: settings.receiveMaximum,
      clock,
      onPause: (paused) => this.#pause(paused),
      leave: (reader) => this.#subscriber.leave(reader),
    })
    this.#requests = new Requests({
      firstId: facts.sendMaximum + 1,
      timeoutMs: settings.publishTimeoutMs,
      clock,
      onTimeout: () => this.#late('answer a subscription'),
    })
    this.#subscriber = new Subscriber(this.#output, this.#inbound, this.#requests, facts, settings.qos)
    this.#keepAlive = new KeepAlive(
      facts.keepAliveSeconds,
      clock,
      { lastWriteMs: () => this.#output.lastWriteMs, paused: () => this.#paused },
      () => {
        this.#output.append(PINGREQ)
        this.#output.flush()
      },
      () => this.#late('answer a ping'),
    )
    this.#start()
  }

  /** See `Link.publish`. */
  publish(batch: readonly Message[], settle: Settle, signal: AbortSignal): void {
    this.#outbound.publish(batch, settle, signal)
    if (this.#watchdog === undefined && !this.#ended) this.#watch()
  }

  /** See `Link.subscribe`. */
  subscribe(topics: readonly string[], options: SubscribeOptions, signal: AbortSignal): Promise<Deliveries> {
    return this.#subscriber.subscribe(topics, options, signal)
  }

  /** See `Link.close`. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  #start(): void {
    const { stream } = this.#dialled.socket
    stream.on('data', this.#onData)
    stream.on('error', (cause) => this.#end(networkError(cause, this.#context())))
    stream.on('end', () => this.#end(networkError(undefined, this.#context())))
    stream.on('close', () => this.#end(networkError(undefined, this.#context())))
    // in a turn of its own, so that whoever dialled can subscribe first
    setImmediate(() => {
      if (this.#ended) return
      this.#dialled.frames.take = this.#onPacket
      this.#guard(() => {
        for (const { bytes, start, body, end } of this.#dialled.early) this.#onPacket(bytes, start, body, end)
        if (this.#dialled.broken !== undefined) throw this.#dialled.broken
      })
      if (stream.errored !== null || stream.destroyed) {
        this.#end(networkError(stream.errored ?? undefined, this.#context()))
      } else if (!this.#paused) stream.resume()
    })
  }

  readonly #onData = (chunk: Buffer): void => {
    if (this.#ended) return
    this.#keepAlive.received()
    this.#guard(() => this.#dialled.frames.push(chunk))
    if (!this.#ended) this.#outbound.pump()
  }

  /** Whatever is wrong with what the peer sent, or with us at reading it, ends the session, and nothing else. */
  #guard(work: () => void): void {
    try {
      work()
    } catch (cause) {
      if (!(cause instanceof ProtocolViolation)) {
        const text = `Cannot go on with ${this.address}: Backhaul failed at a packet, report it with the cause of this error`
        this.#end(new BackhaulError('INTERNAL', text, cause))
        return
      }
      if (this.facts.level === 5 && !this.#ended) {
        this.#output.append(generate({ cmd: 'disconnect', reasonCode: cause.reasonCode }, V5))
        this.#output.flush()
      }
      this.#end(violation(this.address, cause))
    }
  }

  readonly #onPacket = (bytes: Buffer, start: number, body: number, end: number): void => {
    if (this.#ended) return
    const first = bytes[start] ?? 0
    if (first === PUBACK && isPlainSuccess(bytes, body, end, this.facts.level)) {
      this.#outbound.acknowledged(((bytes[body] ?? 0) << 8) | (bytes[body + 1] ?? 0), 0)
    } else if (first >> 4 === PUBLISH) {
      const publish = decodePublish(bytes, start, body, end, this.facts.level)
      // what comes while closing stays the broker's
      if (this.#closing === undefined) this.#inbound.take(publish)
    } else {
      this.#take(this.#decoder.decode(bytes.subarray(start, end)))
    }
  }

  #take(packet: Packet): void {
    const packetId = packet.messageId ?? 0
    switch (packet.cmd) {
      case 'puback':
        this.#outbound.acknowledged(packetId, packet.reasonCode ?? 0, packet.properties?.reasonString)
        return
      case 'pubrec':
        this.#outbound.received(packetId, packet.reasonCode ?? 0, packet.properties?.reasonString)
        return
      case 'pubcomp':
        this.#outbound.completed(packetId)
        return
      case 'pubrel':
        this.#inbound.released(packetId)
        return
      case 'suback':
      case 'unsuback': {
        const codes = (packet.granted ?? []).map(Number)
        this.#requests.answer(packet.cmd, packetId, { codes, text: packet.properties?.reasonString })
        return
      }
      case 'pingresp':
        this.#keepAlive.answered()
        return
      case 'disconnect':
        if (this.facts.level === 5) {
          this.#end(goodbye(this.address, packet.reasonCode ?? 0, packet.properties?.reasonString))
          return
        }
        throw unexpected(packet.cmd)
      case 'auth':
      case 'connack':
      case 'connect':
      case 'publish':
      case 'pingreq':
      case 'subscribe':
      case 'unsubscribe':
        throw unexpected(packet.cmd)
    }
  }

  #pause(paused: boolean): void {
    this.#paused = paused
    const { stream } = this.#dialled.socket
    if (paused) stream.pause()
    else if (!this.#ended) stream.resume()
  }

  /** Looks now and then whether the oldest message is overdue, for as long as any is on its way. */
  #watch(): void {
    const timeoutMs = this.#settings.publishTimeoutMs
    const stepMs = Math.min(1000, Math.max(10, timeoutMs / 10))
    this.#watchdog = this.#clock.after(stepMs, () => {
      this.#watchdog = undefined
      if (this.#ended || this.#outbound.unsettled === 0) return
      if (this.#isOverdue()) {
        // the answer may lie unread in the socket after a long turn: one round of reading first
        this.#verdict ??= setImmediate(() => {
          this.#verdict = undefined
          if (this.#isOverdue()) this.#late('acknowledge a message')
        })
      }
      this.#watch()
    })
  }

  #isOverdue(): boolean {
    const oldest = Math.min(this.#outbound.oldestMs() ?? Infinity, this.#output.stalledSinceMs ?? Infinity)
    return this.#clock.monotonic() - oldest >= this.#settings.publishTimeoutMs
  }

  #late(what: string): void {
    const text = `Cannot go on with ${this.address}: the broker did not ${what} in time, check the network and the broker`
    this.#end(new BackhaulError('TIMEOUT', text))
  }

  async #close(): Promise<void> {
    const { stream } = this.#dialled.socket
    const gone = new Promise<void>((resolve) => {
      if (stream.closed) resolve()
      else stream.once('close', resolve)
    })
    if (!this.#ended) {
      const closed = new BackhaulError(
        'CLOSED',
        `Cannot go on with ${this.address}: the link was closed, open a new one`,
      )
      const timer = this.#clock.after(CLOSE_MS, () => this.#end(closed))
      this.#outbound.close(closed)
      if (this.#paused) this.#pause(false)
      if (this.#outbound.unsettled > 0) {
        this.#idle = deferred()
        await Promise.race([this.#idle.promise, this.lost])
      }
      if (!this.#ended) {
        this.#output.append(DISCONNECT)
        this.#output.flush()
        stream.end()
        await Promise.race([gone, this.lost])
      }
      timer.cancel()
      this.#end(closed)
    }
    await gone
  }

  #context() {
    return { ...this.#dialled.socket.context, phase: 'open' } as const
  }

  #end(reason: BackhaulError): void {
    if (this.#ended) return
    this.#ended = true
    this.#keepAlive.stop()
    this.#watchdog?.cancel()
    if (this.#verdict !== undefined) clearImmediate(this.#verdict)
    this.#output.close()
    this.#dialled.socket.stream.destroy()
    const closed = `Cannot go on with ${this.address}: the link was closed, open a new one`
    const error = this.#closing === undefined ? reason : new BackhaulError('CLOSED', closed)
    const text = `Cannot finish: the link to ${this.address} ended, it is dialled again by itself`
    const toAll = error.code === 'CLOSED' ? error : new BackhaulError('LINK_LOST', text, error)
    this.#inbound.end(this.facts.sessionExpirySeconds === 0)
    this.#subscriber.end(toAll)
    this.#requests.end(toAll)
    this.#outbound.end(toAll)
    this.#lost.resolve(error)
  }
}

/**
 * Dials and opens a session.
 *
 * @throws BackhaulError the refusal or failure; `ABORTED` when `signal` aborts. No socket is left behind.
 */
export async function openSession(
  settings: MqttSettings,
  credentials: DialCredentials,
  signal: AbortSignal,
  tools: SessionTools,
): Promise<MqttSession> {
  return new MqttSession(await dialSession(settings, credentials, signal, tools), settings, tools)
}

/**
 * Whether the PUBACK in `bytes[body, end)` says success and nothing else, as nearly all do: it is read without the general
 * decoder. MQTT 5 may add the reason, which is "no matching subscribers" (0x10) for a topic that nobody listens to, and
 * an empty list of properties.
 */
function isPlainSuccess(bytes: Buffer, body: number, end: number, level: ProtocolLevel): boolean {
  const length = end - body
  if (length === 2) return true
  const reason = bytes[body + 2]
  if (level !== 5 || (reason !== 0 && reason !== NO_MATCHING_SUBSCRIBERS)) return false
  return length === 3 || (length === 4 && bytes[body + 3] === 0)
}

function unexpected(cmd: string): ProtocolViolation {
  return new ProtocolViolation(`a ${cmd.toUpperCase()}, which is not allowed here`, PROTOCOL_VIOLATION)
}

function goodbye(address: string, code: number, text: string | undefined): BackhaulError {
  if (code >= 0x80) return refusal(`go on with ${address}`, code, 'link', text)
  const reason = brokerReason(code, text)
  return new BackhaulError(
    'LINK_LOST',
    `Cannot go on with ${address}: the broker ended the link, it is dialled again by itself`,
    undefined,
    { brokerReason: reason },
  )
}
