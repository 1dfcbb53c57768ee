export type {
  Account,
  Delivery,
  ErrorCode,
  Headers,
  OutboundMessage,
  Priority,
  Receipt,
  Status,
} from './contract/index.ts'
export { BackhaulError, ERRORS } from './contract/index.ts'
export type {
  Client,
  ConnectOptions,
  HandlerOptions,
  HandlerSubscription,
  OutboxStatus,
  SendOptions,
  SubscribeOptions,
} from './client/index.ts'
export { connect } from './client/index.ts'
export type { DeDuplicatorOptions } from './kit/de-duplicator.ts'
export { DeDuplicator } from './kit/de-duplicator.ts'
export type { Subscription } from './connection/index.ts'
