export type { Account, DropReason } from './account.ts'
export { DROP_REASONS } from './account.ts'
export type { Action, ActionContext, Command } from './action.ts'
export type {
  Adaptor,
  Capabilities,
  Deliveries,
  DialRequest,
  Link,
  Outcome,
  Peer,
  PeerTls,
  Settle,
  SubscribeOptions,
  Transport,
  UnfoldedOptions,
} from './adaptor.ts'
export { DELIVERED } from './adaptor.ts'
export type { Address } from './address.ts'
export type { Clock, Timer } from './clock.ts'
export type { Delivery, Position } from './delivery.ts'
export type {
  AnalyticsProperties,
  BoundingBox,
  Coordinate,
  DetectedObject,
  DetectionEvent,
  EventType,
  GeoLocation,
  Joint,
  ObjectType,
  PlaceProperties,
  Pose,
  PoseType,
  SensorProperties,
  StaticProperties,
  Tracking3d,
} from './detection.ts'
export { EVENT_TYPES, OBJECT_TYPES, POSE_TYPES } from './detection.ts'
export type { ErrorCode, ErrorFacts, OptionProblem, RefusalScope } from './errors.ts'
export { BackhaulError, ERRORS } from './errors.ts'
export type { Log, Logger } from './logger.ts'
export type { Headers, Message, OutboundMessage, Priority, Receipt } from './message.ts'
export { PRIORITIES } from './message.ts'
export type { Auth, Credentials, CredentialsSource, TlsSettings, TlsVersion } from './security.ts'
export { TLS_VERSIONS } from './security.ts'
export type { Status } from './status.ts'
