import { createHash } from 'node:crypto'

import type { CommandJournal } from '../actions/index.ts'
import type { DecodedCommand, ReceivedCommand, RecordingCommand } from '../codec/index.ts'
import { readRecordingCommand } from '../codec/index.ts'
import type { Delivery } from '../contract/index.ts'
import { BackhaulError } from '../contract/index.ts'

/*
 * The recording commands of DeepStream's cloud have no ids, and two of them may be equal byte for byte ("stop gate 7", twice). Yet one
 * that is delivered again must not act twice, and a new one must not be taken for an old one. So each gets an id from what the broker
 * tells of it:
 *
 *   the sender gave the message an id (an MQTT 5 property, a Kafka header)    that id
 *   the position is unique (Kafka: partition, offset, time)                   made of the position and the bytes, always the same
 *   the position is given again (MQTT: packet id)                             a new one at the first delivery; at a redelivery the latest
 *                                                                             of the same position and bytes, also after a restart
 *   there is no position (MQTT QoS 0)                                         a new one; given back here, the same again
 *
 * A packet id is free again only once the broker has the acknowledgement, so a redelivery with the position and bytes of an earlier
 * command is that command, unless 65,535 messages came in between.
 */

/** How many commands are remembered without a journal. */
const MAX_REMEMBERED = 1000

/** What {@link RecordingCommands} needs. */
export interface RecordingCommandsParts {
  /** The connection's name. */
  readonly connection: string
  /** The number of each sensor by its id; `undefined`: the id is the number. */
  readonly sensors?: Readonly<Record<string, number>> | undefined
  /** The commands that this device can carry out. */
  readonly known: readonly string[]
  /** Remembers commands over a crash; `undefined` where there is nowhere to. */
  readonly journal: CommandJournal | undefined
  /** Makes ids that nothing else has. */
  readonly nextId: () => string
}

/** Reads DeepStream's recording commands, and gives each an id. */
export class RecordingCommands {
  readonly #parts: RecordingCommandsParts
  readonly #ids = new Map<string, string>()

  constructor(parts: RecordingCommandsParts) {
    this.#parts = parts
  }

  /** Reads a command. Never throws, whatever the bytes are. */
  decode(delivery: Delivery): DecodedCommand {
    const { known, sensors } = this.#parts
    const id = this.#idOf(delivery)
    let name: string | undefined
    try {
      const read = readRecordingCommand(delivery.payload)
      name = read.command
      const command = commandOf(id, read, sensors)
      if (known.includes(name)) return { ok: true, command }
      throw new BackhaulError(
        'COMMAND_UNKNOWN',
        `Cannot carry out "${name}": there is no recorder for this source, see docs/deepstream.md`,
      )
    } catch (cause) {
      const error =
        cause instanceof BackhaulError
          ? cause
          : new BackhaulError(
              'INTERNAL',
              'Cannot read a recording command: the agent failed, report it',
              cause,
            )
      return { ok: false, id, command: name, replyTo: undefined, error }
    }
  }

  #idOf(delivery: Delivery): string {
    const { connection, journal, nextId } = this.#parts
    const { id, topic, payload, position, redelivered } = delivery
    if (id !== undefined && /^[\u0020-\u007e]{1,128}$/.test(id)) return id
    const hash = createHash('sha256')
    for (const part of [connection, topic, position?.name ?? '']) hash.update(`${part}\n`)
    const name = `recording-${hash.update(payload).digest('hex').slice(0, 32)}`
    if (position?.unique === true) return name
    if (redelivered) {
      const before =
        this.#ids.get(name) ?? (position === undefined ? undefined : journal?.latest(`${name}-`)?.id)
      if (before !== undefined) return before
    }
    const fresh = `${name}-${nextId()}`
    this.#remember(name, fresh)
    return fresh
  }

  #remember(name: string, id: string): void {
    this.#ids.delete(name)
    this.#ids.set(name, id)
    if (this.#ids.size <= MAX_REMEMBERED) return
    const oldest = this.#ids.keys().next()
    if (oldest.done !== true) this.#ids.delete(oldest.value)
  }
}

/** The command of a sensor, by its number. */
function commandOf(
  id: string,
  { command, sensorId, startMs, endMs }: RecordingCommand,
  sensors: Readonly<Record<string, number>> | undefined,
): ReceivedCommand {
  const number = sensors === undefined ? numberOf(sensorId) : ownNumber(sensors, sensorId)
  if (number === undefined) {
    const why = sensors === undefined ? 'is no number of a source' : 'is not in the list of sensors'
    throw new BackhaulError(
      'COMMAND_INVALID',
      `Cannot carry out "${command}": the sensor ${JSON.stringify(sensorId.slice(0, 128))} ${why}`,
    )
  }
  return { id, command, args: { sensorId, source: number, startMs, endMs }, replyTo: undefined }
}

function ownNumber(sensors: Readonly<Record<string, number>>, id: string): number | undefined {
  return Object.hasOwn(sensors, id) ? sensors[id] : undefined
}

function numberOf(text: string): number | undefined {
  return /^\d{1,9}$/.test(text) ? Number(text) : undefined
}
