/**
 * The kinds of object of NVIDIA's schema. Those with `-ext` may have a {@link DetectedObject.mask}; `3d` and `dummy` are
 * what its pipelines use for 3-D boxes and for a frame without objects.
 */
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
  'vehicle-ext',
  'person-ext',
  'face-ext',
  'product-ext',
  '3d',
  'dummy',
] as const
/** One of {@link OBJECT_TYPES}. */
export type ObjectType = (typeof OBJECT_TYPES)[number]

/** What happened to an object, by NVIDIA's schema; `reserved` and `custom` have no name in its messages. */
export const EVENT_TYPES = [
  'entry',
  'exit',
  'moving',
  'stopped',
  'empty',
  'parked',
  'reset',
  'reserved',
  'custom',
] as const
/** One of {@link EVENT_TYPES}. */
export type EventType = (typeof EVENT_TYPES)[number]

/** The kinds of pose: 18 joints in the picture, or 34 joints in 2.5 or 3 dimensions. */
export const POSE_TYPES = ['pose2D', 'pose25D', 'pose3D'] as const
/** One of {@link POSE_TYPES}. */
export type PoseType = (typeof POSE_TYPES)[number]

/** A place on earth. */
export interface GeoLocation {
  /** Latitude in degrees. */
  readonly lat: number
  /** Longitude in degrees. */
  readonly lon: number
  /** Altitude in metres. */
  readonly alt: number
}

/** A point in the coordinates of a site. */
export interface Coordinate {
  /** Along the first axis. */
  readonly x: number
  /** Along the second axis. */
  readonly y: number
  /** Along the third axis. */
  readonly z: number
}

/** One joint of a {@link Pose}. */
export interface Joint extends Coordinate {
  /** From 0 to 1; 0 where it was not seen. */
  readonly confidence: number
}

/** The joints of a body. */
export interface Pose {
  /** What the joints are. */
  readonly type: PoseType
  /** The joints, in the order that the type demands. */
  readonly joints: readonly Joint[]
}

/** Where the feet of a tracked body are, and its outline: NVIDIA's single-view 3-D tracking. */
export interface Tracking3d {
  /** The feet in the picture: x and y in pixels. */
  readonly footImage: readonly [number, number]
  /** The feet in the world: x and y. */
  readonly footWorld: readonly [number, number]
  /** The outline in the picture: x and y of each corner in whole pixels, one after the other. */
  readonly convexHull: readonly number[]
}

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
  /** What happened to it. @default 'entry' */
  readonly event?: EventType | undefined
  /** Which part of the pipeline found it, to tell apart who is interested. @default 0 */
  readonly componentId?: number | undefined
  /** Where it is on earth. @default all zero */
  readonly location?: GeoLocation | undefined
  /** Where it is in the coordinates of the site. @default all zero */
  readonly coordinate?: Coordinate | undefined
  /** Its joints. */
  readonly pose?: Pose | undefined
  /** A vector that describes its appearance. */
  readonly embedding?: readonly number[] | undefined
  /** A vector that identifies it. */
  readonly signature?: readonly number[] | undefined
  /** Its outline: polygons, each x and y of its corners one after the other. */
  readonly mask?: readonly (readonly number[])[] | undefined
  /** How much of it can be seen, from 0 to 1. @default 1 */
  readonly visibility?: number | undefined
  /** Its 3-D track. */
  readonly tracking3d?: Tracking3d | undefined
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
  /** Number of the sensor in the static properties, where the source itself tells. @default found by the sensor's id */
  readonly source?: number | undefined
  /** Number of the place in the static properties. @default the source's */
  readonly placeId?: number | undefined
  /** Number of the analytics module in the static properties. @default the source's */
  readonly moduleId?: number | undefined
  /** Where the video is. */
  readonly videoPath?: string | undefined
  /** Further texts that travel with the frame. */
  readonly customMessages?: readonly string[] | undefined
}

/** What is known beforehand of a sensor. */
export interface SensorProperties {
  /** Its id. */
  readonly id: string
  /** Its kind, for example `Camera`. */
  readonly type: string
  /** In words. */
  readonly description: string
  /** Where it is on earth. */
  readonly location: GeoLocation
  /** Where it is in the coordinates of the site. */
  readonly coordinate: Coordinate
}

/** What is known beforehand of the place that a sensor looks at. */
export interface PlaceProperties {
  /** Its id. */
  readonly id: string
  /** Its kind, for example `garage`. */
  readonly type: string
  /** Its name. */
  readonly name: string
  /** Where it is on earth. */
  readonly location: GeoLocation
  /** Where the part of it is in the coordinates of the site. */
  readonly coordinate: Coordinate
  /** Up to three fields of the part of it that is seen; what they are depends on the event. */
  readonly subFields: readonly [string, string, string]
}

/** What is known beforehand of the program that analyses. */
export interface AnalyticsProperties {
  /** Its id. */
  readonly id: string
  /** In words. */
  readonly description: string
  /** Who made it. */
  readonly source: string
  /** Its version. */
  readonly version: string
}

/** What DeepStream's message converter is told beforehand in its configuration file, by number. */
export interface StaticProperties {
  /** The sensors. */
  readonly sensors: ReadonlyMap<number, SensorProperties>
  /** The places. */
  readonly places: ReadonlyMap<number, PlaceProperties>
  /** The analytics modules. */
  readonly analytics: ReadonlyMap<number, AnalyticsProperties>
}
