/**
 * What the element `nvmsgconv` does: from the detections of a frame to the payloads that are sent.
 *
 * - Only objects of the component, unless that is 0.
 * - Old API: `full` one payload an object, `minimal` and `protobuf` one a frame if there is an object (or `dummyPayload`).
 * - New API: frames whose number is a multiple of the interval, `full` one payload an object, the others one a frame,
 *   also for a frame without objects; its time is that of the conversion.
 * - `custom`: the 14 bytes of the original's built-in converter, once where `minimal` would send something.
 *
 * A dummy payload holds no object. (The original puts an empty vehicle in place of the first object of every frame.)
 */
import type { DetectedObject, DetectionEvent, StaticProperties } from '../../contract/index.ts'
import type { FullContext } from './full.ts'
import { createFullWriter } from './full.ts'
import type { JsonLayout } from '../options.ts'
import { writeMinimal } from './minimal.ts'
import { writeFullOfLabel, writeMinimalOfLabels, writeProtobufOfLabels } from './new-api.ts'
import { writeProtobuf } from './protobuf.ts'
import type { DeepStreamSchema } from '../options.ts'

/** How payloads are made. */
export interface ConverterOptions {
  /** What is sent. */
  readonly schema: DeepStreamSchema
  /** What is known beforehand. */
  readonly properties?: StaticProperties | undefined
  /** Number of each sensor by its id, beside those of the properties. */
  readonly sensors?: Readonly<Record<string, number>> | undefined
  /** Only objects with this component id; 0 for all. @default 0 */
  readonly componentId?: number | undefined
  /** As the converter's new API has it. @default false */
  readonly newApi?: boolean | undefined
  /** New API: every how many frames. @default 30 */
  readonly frameInterval?: number | undefined
  /** Old API: a payload for a frame without objects too. @default false */
  readonly dummyPayload?: boolean | undefined
  /** Old API: one dummy in a frame without objects, as `dummy-payload` of `[source-list]` has it. @default false */
  readonly dummyObject?: boolean | undefined
  /** How JSON is laid out. @default 'compact' */
  readonly layout?: JsonLayout | undefined
  /** Milliseconds since 1970, for the new API. @default the machine's clock */
  readonly now?: (() => number) | undefined
  /** Makes the ids of full messages. @default random ones */
  readonly uuid?: (() => string) | undefined
}

/** Bytes or text of a payload. */
export type Payload = Uint8Array | string

/** What becomes of a frame. */
export interface Converted {
  /** The frame as it is sent: with its sensor's number and name, and only the objects of the component. */
  readonly event: DetectionEvent
  /** The payloads, in their order. */
  readonly payloads: readonly Payload[]
}

const DUMMY: DetectedObject = {
  trackingId: '0',
  type: 'dummy',
  label: undefined,
  confidence: 0,
  box: { left: 0, top: 0, width: 0, height: 0 },
  attributes: undefined,
}

const CUSTOM_PAYLOAD = Buffer.from('CUSTOM Schema\0')

/** Makes a function that gives the payloads of a frame. It throws BackhaulError `INVALID_MESSAGE`. */
export function createConverter(options: ConverterOptions): (event: DetectionEvent) => Converted {
  const { componentId = 0, properties } = options
  const convert = options.newApi === true ? newApi(options) : oldApi(options)
  const name = sensorNaming(properties, options.sensors ?? {})
  return (event) => {
    const found =
      componentId === 0 ? event.objects : event.objects.filter((object) => object.componentId === componentId)
    const isDummy = found.length === 0 && options.dummyObject === true && options.newApi !== true
    const objects = isDummy ? [DUMMY] : found
    const named = name({ ...event, objects })
    return { event: named, payloads: convert(named) }
  }
}

type Convert = (event: DetectionEvent) => readonly Payload[]

function oldApi(options: ConverterOptions): Convert {
  const full = createFullWriter(contextOf(options))
  const isDue = ({ objects }: DetectionEvent) => objects.length > 0 || options.dummyPayload === true
  const writers: Readonly<Record<DeepStreamSchema, Convert>> = {
    full: (event) => event.objects.map((object) => full(event, object)),
    minimal: (event) => (isDue(event) ? [writeMinimal(event, options.layout)] : []),
    protobuf: (event) => (isDue(event) ? [writeProtobuf(event)] : []),
    custom: (event) => (isDue(event) ? [CUSTOM_PAYLOAD] : []),
  }
  return writers[options.schema]
}

function newApi(options: ConverterOptions): Convert {
  const { frameInterval = 30, now = Date.now } = options
  const write = newApiWriter(options)
  return (event) => {
    if (event.frame % frameInterval !== 0) return []
    return write({ ...event, timestamp: new Date(now()).toISOString() })
  }
}

function newApiWriter(options: ConverterOptions): Convert {
  const context = contextOf(options)
  const writers: Readonly<Record<DeepStreamSchema, Convert>> = {
    full: (event) => event.objects.map((object) => writeFullOfLabel(event, object, context)),
    minimal: (event) => [writeMinimalOfLabels(event, options.layout)],
    protobuf: (event) => [writeProtobufOfLabels(event)],
    custom: () => [CUSTOM_PAYLOAD],
  }
  return writers[options.schema]
}

function contextOf({ properties, layout, uuid }: ConverterOptions): FullContext {
  return { properties, layout, uuid }
}

/**
 * Finds the number of a frame's sensor, and the name that it has in messages: the id in the static properties, empty
 * where they have no such number, and "0" where there are none. A sensor that is known by a name that is no number keeps
 * it, as one that was added to DeepStream by name does.
 */
function sensorNaming(
  properties: StaticProperties | undefined,
  sensors: Readonly<Record<string, number>>,
): (event: DetectionEvent) => DetectionEvent {
  const numbers = new Map(Object.entries(sensors))
  for (const [number, { id }] of properties?.sensors ?? []) if (!numbers.has(id)) numbers.set(id, number)
  return (event) => {
    const { sensorId } = event
    const source = event.source ?? numbers.get(sensorId) ?? numberOf(sensorId)
    if (source === undefined) return event
    const isName = sensorId !== '' && numberOf(sensorId) === undefined
    const known = properties === undefined ? '0' : (properties.sensors.get(source)?.id ?? '')
    return { ...event, source, sensorId: isName ? sensorId : known }
  }
}

function numberOf(text: string): number | undefined {
  return /^\d{1,9}$/.test(text) ? Number(text) : undefined
}
