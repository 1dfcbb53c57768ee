import { generate } from 'mqtt-packet'
import type { IConnackPacket, IConnectPacket } from 'mqtt-packet'

import type { Auth } from '../../../contract/index.ts'
import { BackhaulError } from '../../../contract/index.ts'
import { networkError } from '../../../kit/network-errors.ts'
import type { OpenSocket } from '../socket.ts'
import { tlsRequired } from '../socket.ts'
import { PacketDecoder } from './decode.ts'
import { FrameReader } from './frames.ts'
import { ProtocolViolation } from './protocol-error.ts'
import { FAILURE, reasonOfReturnCode, refusal, UNSUPPORTED_VERSION } from './reasons.ts'
import type { MqttSettings, ProtocolLevel, Qos, SessionFacts } from './settings.ts'

/*
 * CONNECT and CONNACK over an open stream. It ends in the facts of a session, or in a failure that says what kind it is:
 *
 *   version  the broker answered, and does not speak this version
 *   silent   the broker closed the connection without a word: it may be too old for the version, may not like the client
 *            certificate, may speak TLS where we do not; the dial finds out
 *   final    everything else
 *
 * The stream is the caller's in each case. After a success it is paused, and what had come behind CONNACK is kept.
 */

/** Why a handshake failed. */
export class HandshakeFailure extends Error {
  /** See the top of the file. */
  readonly kind: 'version' | 'silent' | 'final'
  /** The error for the caller. */
  readonly error: BackhaulError

  constructor(kind: HandshakeFailure['kind'], error: BackhaulError) {
    super(error.message, { cause: error })
    this.name = 'HandshakeFailure'
    this.kind = kind
    this.error = error
  }
}

/** A whole packet, with the offsets that {@link FrameReader} gives. */
export interface EarlyPacket {
  /** The chunk that it lies in. */
  readonly bytes: Buffer
  /** Its first byte. */
  readonly start: number
  /** Behind the fixed header. */
  readonly body: number
  /** Behind its last byte. */
  readonly end: number
}

/** A session that the broker has accepted. */
export interface Accepted {
  /** What it granted. */
  readonly facts: SessionFacts
  /** Cuts the stream into packets; holds what has come of the next one. */
  readonly frames: FrameReader
  /** Whole packets that came behind CONNACK. */
  readonly early: readonly EarlyPacket[]
  /** What was wrong with the bytes behind those, if anything. */
  readonly broken: unknown
}

/** A CONNECT of MQTT 3.1.1 without identity or credentials: every MQTT broker answers it somehow. */
export function harmlessConnect(): Uint8Array {
  return generate({
    cmd: 'connect',
    protocolId: 'MQTT',
    protocolVersion: 4,
    clientId: '',
    clean: true,
    keepalive: 10,
  })
}

/**
 * Introduces us and waits for the broker's answer.
 *
 * @throws HandshakeFailure
 */
export async function handshake(
  socket: OpenSocket,
  settings: MqttSettings,
  level: ProtocolLevel,
  auth: Auth | undefined,
  signal: AbortSignal,
): Promise<Accepted> {
  const { stream, context } = socket
  const early: EarlyPacket[] = []
  let broken: unknown
  const decoder = new PacketDecoder(level)
  const connack = await new Promise<{ packet: IConnackPacket; frames: FrameReader }>((resolve, reject) => {
    const finish = (settle: () => void): void => {
      stream.off('data', onData).off('error', onError).off('close', onClose).off('end', onClose)
      signal.removeEventListener('abort', onAbort)
      stream.pause()
      settle()
    }
    const fail = (kind: HandshakeFailure['kind'], error: BackhaulError): void => {
      finish(() => reject(new HandshakeFailure(kind, error)))
    }
    const frames = new FrameReader(settings.maxPacketBytes, (bytes, start, body, end) => {
      // what comes in the same chunk, behind CONNACK
      if (answered) early.push({ bytes, start, body, end })
      else {
        const packet = decoder.decode(bytes.subarray(start, end))
        if (packet.cmd !== 'connack') throw new ProtocolViolation(`a ${packet.cmd} in place of CONNACK`)
        answered = true
        finish(() => resolve({ packet, frames }))
      }
    })
    let answered = false
    let first = true
    const onData = (chunk: Buffer): void => {
      if (first && socket.tls === undefined && isTlsRecord(chunk)) {
        fail('final', tlsRequired(context.address))
        return
      }
      if (first && isHttp(chunk)) {
        fail('final', violation(context.address, new ProtocolViolation('an answer in HTTP')))
        return
      }
      first = false
      try {
        frames.push(chunk)
      } catch (cause) {
        if (answered) broken = cause
        else fail('final', violation(context.address, cause))
      }
    }
    const onError = (cause: unknown): void => {
      const error = networkError(cause, context)
      fail(error.code === 'UNREACHABLE' ? 'silent' : 'final', error)
    }
    const onClose = (): void => onError(undefined)
    const onAbort = (): void => {
      const text = `Cannot connect to ${context.address}: the caller gave up, call again`
      fail('final', new BackhaulError('ABORTED', text))
    }
    stream.on('data', onData).on('error', onError).on('close', onClose).on('end', onClose)
    signal.addEventListener('abort', onAbort, { once: true })
    if (signal.aborted) onAbort()
    else if (stream.errored !== null || stream.destroyed) onError(stream.errored ?? undefined)
    else stream.write(generate(connectPacket(settings, level, auth)))
  })
  const facts = judge(connack.packet, settings, level, context.address)
  return { facts, frames: connack.frames, early, broken }
}

/** The error for a peer that broke the protocol. */
export function violation(address: string, cause: unknown): BackhaulError {
  if (cause instanceof BackhaulError) return cause
  const what = cause instanceof Error ? cause.message : 'something that cannot be read'
  return new BackhaulError(
    'PROTOCOL_ERROR',
    `Cannot speak MQTT with ${address}: the broker sent ${what}, check that the address is of an MQTT broker`,
    cause,
  )
}

/** Web servers close after so short an answer that it need not be a whole packet. */
function isHttp(chunk: Buffer): boolean {
  return chunk.subarray(0, 5).toString('latin1') === 'HTTP/'
}

function isTlsRecord(chunk: Buffer): boolean {
  return chunk[0] === 0x15 && chunk[1] === 0x03
}

function connectPacket(settings: MqttSettings, level: ProtocolLevel, auth: Auth | undefined): IConnectPacket {
  const packet: IConnectPacket = {
    cmd: 'connect',
    protocolId: 'MQTT',
    protocolVersion: level,
    clientId: settings.clientId,
    clean: settings.sessionExpirySeconds === 0,
    keepalive: settings.keepAliveSeconds,
  }
  if (auth !== undefined) {
    packet.username = auth.user
    if (auth.password !== undefined) packet.password = Buffer.from(auth.password)
  }
  if (settings.will !== undefined) {
    const { topic, payload, qos, retain } = settings.will
    packet.will = { topic, payload: Buffer.from(payload), qos, retain }
  }
  if (level === 5) {
    packet.properties = {
      receiveMaximum: settings.receiveMaximum,
      maximumPacketSize: settings.maxPacketBytes,
      ...(settings.sessionExpirySeconds > 0 && { sessionExpiryInterval: settings.sessionExpirySeconds }),
    }
  }
  return packet
}

function judge(
  packet: IConnackPacket,
  settings: MqttSettings,
  level: ProtocolLevel,
  address: string,
): SessionFacts {
  const given = packet.reasonCode ?? packet.returnCode ?? FAILURE
  // a broker that only knows 3.1.1 answers in its own codes
  const reason = given > 0 && given < FAILURE ? reasonOfReturnCode(given) : given
  if (reason >= FAILURE) {
    const { reasonString, serverReference } = packet.properties ?? {}
    const text = serverReference === undefined ? reasonString : `${reasonString ?? ''} (${serverReference})`
    const error = refusal(`connect to ${address}`, reason, 'link', text)
    throw new HandshakeFailure(reason === UNSUPPORTED_VERSION ? 'version' : 'final', error)
  }
  try {
    return factsOf(packet, settings, level, address)
  } catch (cause) {
    throw new HandshakeFailure('final', violation(address, cause))
  }
}

/** How many messages may be on their way where the broker names no limit, or a higher one. */
const MAX_WINDOW = 1000
/**
 * The same for QoS 2 on MQTT 3.1.1, where no broker can name its limit: Mosquitto drops in silence, and acknowledges, what comes
 * above its `max_inflight_messages` (20).
 */
const BLIND_QOS2_WINDOW = 10
const MAX_PACKET = 268_435_460

function factsOf(
  packet: IConnackPacket,
  settings: MqttSettings,
  level: ProtocolLevel,
  address: string,
): SessionFacts {
  const given = packet.properties ?? {}
  const maxQos = qosOf(given.maximumQoS)
  const retains = given.retainAvailable !== false
  if (settings.qos > 0 && maxQos === 0) {
    throw unsupported(address, 'the broker takes QoS 0 only, which can lose messages', 'set qos to 0')
  }
  if (settings.retain && !retains) {
    throw unsupported(address, 'the broker keeps no retained messages', 'set retain to false')
  }
  const window = level === 4 && settings.qos === 2 ? BLIND_QOS2_WINDOW : MAX_WINDOW
  return {
    level,
    resumed: packet.sessionPresent && settings.sessionExpirySeconds > 0,
    keepAliveSeconds: within(given.serverKeepAlive, 0, 65_535, settings.keepAliveSeconds),
    sessionExpirySeconds: within(
      given.sessionExpiryInterval,
      0,
      0xff_ff_ff_ff,
      settings.sessionExpirySeconds,
    ),
    sendMaximum: Math.min(window, within(given.receiveMaximum, 1, 65_535, window)),
    maxPacketBytes: within(given.maximumPacketSize, 1, 0xff_ff_ff_ff, MAX_PACKET),
    maxQos,
    retains,
    wildcards: given.wildcardSubscriptionAvailable !== false,
    sharedSubscriptions: level === 5 && given.sharedSubscriptionAvailable !== false,
    subscriptionIdentifiers: level === 5 && given.subscriptionIdentifiersAvailable !== false,
  }
}

function qosOf(value: unknown): Qos {
  if (value === undefined || value === null) return 2
  if (value === 0 || value === 1) return value
  throw new ProtocolViolation('a CONNACK with a maximum QoS that does not exist')
}

function within(value: unknown, min: number, max: number, absent: number): number {
  if (value === undefined || value === null) return absent
  if (typeof value !== 'number' || value < min || value > max) {
    throw new ProtocolViolation('a CONNACK with a number out of its range')
  }
  return value
}

function unsupported(address: string, state: string, fix: string): BackhaulError {
  return new BackhaulError('UNSUPPORTED', `Cannot connect to ${address}: ${state}, ${fix}`)
}
