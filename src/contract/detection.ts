/** The kinds of object of NVIDIA's schema that have a name of their own in the minimal form. */
export const OBJECT_TYPES = [
  'vehicle',
  'person',
  'face',
  'bag',
  'bicycle',
  'roadsign',
  'product',
  'custom',
  'unknown',
] as const
/** One of {@link OBJECT_TYPES}. */
export type ObjectType = (typeof OBJECT_TYPES)[number]

/** A box in pixels of the source picture. */
export interface BoundingBox {
  /** Distance of the left edge from the picture's left, in pixels. */
  readonly left: number
  /** Distance of the top edge from the picture's top, in pixels. */
  readonly top: number
  /** Width in pixels. */
  readonly width: number
  /** Height in pixels. */
  readonly height: number
}

/** One object that a detector found in a frame. */
export interface DetectedObject {
  /** The tracker's id as a decimal number, or `undefined` when nothing tracks. */
  readonly trackingId: string | undefined
  /** Its kind. */
  readonly type: ObjectType
  /** The detector's own label. */
  readonly label: string | undefined
  /** From 0 to 1. */
  readonly confidence: number
  /** Where it is. */
  readonly box: BoundingBox
  /** Attributes of the secondary classifiers, for example `{ gender: 'female' }`. */
  readonly attributes: Readonly<Record<string, string>> | undefined
}

/** What a detector saw in one frame of one sensor. */
export interface DetectionEvent {
  /** When the frame was taken: ISO 8601 in UTC with milliseconds. */
  readonly timestamp: string
  /** Which camera or sensor. */
  readonly sensorId: string
  /** Number of the frame in its stream. */
  readonly frame: number
  /** The objects; may be empty. */
  readonly objects: readonly DetectedObject[]
}
