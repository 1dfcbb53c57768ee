import type { DetectedObject, ObjectType, PoseType } from '../../contract/index.ts'
import { OBJECT_TYPES } from '../../contract/index.ts'

/** The id that NVIDIA's tracker gives to what nothing tracks: the largest of 64 bits. */
export const UNTRACKED = '18446744073709551615'

/** The kinds of object that have attributes of their own. */
export type Family = 'vehicle' | 'person' | 'face' | 'product'

/** The family of each kind; a kind without one has no attributes in any schema. */
export const FAMILY_OF: Readonly<Partial<Record<ObjectType, Family>>> = {
  vehicle: 'vehicle',
  person: 'person',
  face: 'face',
  product: 'product',
  'vehicle-ext': 'vehicle',
  'person-ext': 'person',
  'face-ext': 'face',
  'product-ext': 'product',
}

/** The names of kinds in the minimal and the protobuf schema. Kinds with a mask have none in the original either. */
export const TYPE_NAMES: Readonly<Record<ObjectType, string>> = {
  vehicle: 'Vehicle',
  person: 'Person',
  face: 'Face',
  bag: 'Bag',
  bicycle: 'Bicycle',
  roadsign: 'RoadSign',
  product: 'Product',
  custom: 'Custom',
  unknown: 'Unknown',
  'vehicle-ext': 'Unknown',
  'person-ext': 'Unknown',
  'face-ext': 'Unknown',
  'product-ext': 'Unknown',
  '3d': 'Unknown',
  dummy: 'Unknown',
}

const NAMED_TYPES: readonly ObjectType[] = OBJECT_TYPES.filter((type) => TYPE_NAMES[type] !== 'Unknown')
const TYPE_OF_NAME: ReadonlyMap<string, ObjectType> = new Map(
  NAMED_TYPES.map((type) => [TYPE_NAMES[type], type]),
)

/** Kind and label of a name in a message. */
export function typeOfName(name: string): Pick<DetectedObject, 'type' | 'label'> {
  const type = TYPE_OF_NAME.get(name)
  if (type !== undefined) return { type, label: undefined }
  return { type: 'unknown', label: name === '' || name === 'Unknown' ? undefined : name }
}

/** Whether anything is known about an object beyond what its detector saw. */
export function hasAttributes({ attributes }: DetectedObject): boolean {
  for (const _ in attributes) return true
  return false
}

/** An attribute as text; an empty one where nobody knows it. */
export function attribute({ attributes }: DetectedObject, name: string): string {
  return attributes !== undefined && Object.hasOwn(attributes, name) ? (attributes[name] ?? '') : ''
}

/** The age in years; 0 where nobody knows it, as in the original. */
export function age(object: DetectedObject): number {
  const text = attribute(object, 'age')
  return /^\d{1,9}$/.test(text) ? Number(text) : 0
}

/** The names of the joints of each kind of pose, in their order. */
export const JOINTS: Readonly<Record<PoseType, readonly string[]>> = poseJoints()

function poseJoints(): Record<PoseType, readonly string[]> {
  const flat =
    'nose neck right-shoulder right-elbow right-hand left-shoulder left-elbow left-hand right-hip right-knee right-foot left-hip left-knee left-foot right-eye left-eye right-ear left-ear'
  const spatial =
    'pelvis left-hip right-hip torso left-knee right-knee neck left-ankle right-ankle left-big-toe right-big-toe left-small-toe right-small-toe left-heel right-heel nose left-eye right-eye left-ear right-ear left-shoulder right-shoulder left-elbow right-elbow left-wrist right-wrist left-pinky-knuckle right-pinky-knuckle left-middle-tip right-middle-tip left-index-knuckle right-index-knuckle left-thumb-tip right-thumb-tip'
  return { pose2D: flat.split(' '), pose25D: spatial.split(' '), pose3D: spatial.split(' ') }
}

/** The edges of a box, reckoned in 32 bits as in the original. */
export function edges({ box }: DetectedObject): { left: number; top: number; right: number; bottom: number } {
  const left = Math.fround(box.left)
  const top = Math.fround(box.top)
  return {
    left,
    top,
    right: Math.fround(left + Math.fround(box.width)),
    bottom: Math.fround(top + Math.fround(box.height)),
  }
}
