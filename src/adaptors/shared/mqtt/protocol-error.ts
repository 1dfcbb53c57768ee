/** Reason codes of MQTT 5 that say what the peer did wrong. */
const MALFORMED_PACKET = 0x81
/** The packet is well-formed and not allowed here. */
export const PROTOCOL_VIOLATION = 0x82
/** The packet is over our Maximum Packet Size. */
export const PACKET_TOO_LARGE = 0x95

/** The peer broke the protocol. Never leaves this folder: the session ends with `PROTOCOL_ERROR`. */
export class ProtocolViolation extends Error {
  /** What is told to the peer in DISCONNECT, where the version has it. */
  readonly reasonCode: number

  /** @param message - completes "the broker sent ..." */
  constructor(message: string, reasonCode: number = MALFORMED_PACKET) {
    super(message)
    this.name = 'ProtocolViolation'
    this.reasonCode = reasonCode
  }
}
