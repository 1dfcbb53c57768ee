import { Ring } from '../../../kit/ring.ts'
import type { InboundPublish } from './decode-publish.ts'
import type { Output } from './output.ts'
import { PROTOCOL_VIOLATION, ProtocolViolation } from './protocol-error.ts'

/*
 * What we owe the broker for the messages it sent with QoS 1 and 2.
 *
 * MQTT wants PUBACK and PUBREC in the order of receipt (MQTT-4.6.0-2), while work ends in any order. So receipts lie in a queue
 * in order of receipt, and whenever the first one is finished, the finished prefix is acknowledged.
 *
 * QoS 2: PUBREC is sent when the work is done, and the id is remembered until PUBREL; a repeat under such an id is not
 * delivered again. That memory ends with the link: an unfinished message comes again on the next link, as for QoS 1. Over several
 * links QoS 2 is therefore at least once, and consumers de-duplicate by the message id.
 */

const PUBACK = 0x40
const PUBREC = 0x50
const PUBCOMP = 0x70

/** One message that is to be acknowledged. */
export class Receipt {
  /** Its packet id. */
  readonly packetId: number
  /** Its quality of service. */
  readonly qos: 1 | 2
  /** How many readers have not finished it. */
  open = 0
  /** True: it is not acknowledged on this link, although nobody works on it any more. */
  withheld = false
  /** QoS 2: PUBREC was sent. */
  recorded = false

  constructor(packetId: number, qos: 1 | 2) {
    this.packetId = packetId
    this.qos = qos
  }
}

/** The receipts of one link, in order. */
export class Receipts {
  readonly #output: Output
  readonly #order = new Ring<Receipt>()
  readonly #unreleased = new Map<number, Receipt>()

  constructor(output: Output) {
    this.#output = output
  }

  /** How many messages are neither acknowledged nor withheld. */
  get unfinished(): number {
    return this.#order.length
  }

  /** Notes a message with QoS 1 or 2. Gives `undefined` for a repeat that must not be delivered again. */
  note(publish: InboundPublish): Receipt | undefined {
    const { packetId } = publish
    const known = publish.qos === 2 ? this.#unreleased.get(packetId) : undefined
    if (known !== undefined) {
      if (known.recorded) this.#output.acknowledge(PUBREC, packetId)
      return undefined
    }
    const receipt = new Receipt(packetId, publish.qos === 2 ? 2 : 1)
    if (receipt.qos === 2) this.#unreleased.set(packetId, receipt)
    this.#order.push(receipt)
    return receipt
  }

  /** One reader has finished; when it was the last one, the finished prefix is acknowledged. */
  finish(receipt: Receipt): void {
    receipt.open -= 1
    if (receipt.open <= 0 && this.#order.peek() === receipt) this.#advance()
  }

  /** The broker's PUBREL: the id is free again. An id that is not known is confirmed too: it was an earlier link's. */
  released(packetId: number): void {
    const receipt = this.#unreleased.get(packetId)
    if (receipt !== undefined) {
      if (!receipt.recorded) {
        throw new ProtocolViolation(
          `a release of packet ${packetId} before it was received`,
          PROTOCOL_VIOLATION,
        )
      }
      this.#unreleased.delete(packetId)
    }
    this.#output.acknowledge(PUBCOMP, packetId)
  }

  #advance(): void {
    for (let first = this.#order.peek(); first !== undefined && first.open <= 0; first = this.#order.peek()) {
      this.#order.shift()
      if (first.withheld) continue
      if (first.qos === 2) {
        first.recorded = true
        this.#output.acknowledge(PUBREC, first.packetId)
      } else {
        this.#output.acknowledge(PUBACK, first.packetId)
      }
    }
  }
}
