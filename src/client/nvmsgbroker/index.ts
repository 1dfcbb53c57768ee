export type { NvMsgBroker, NvMsgBrokerMessage, NvMsgBrokerOptions } from './broker.ts'
export { createNvMsgBroker } from './broker.ts'
export type { ConnectCallback, NvMsgBrokerHandle, SendCallback, SubscribeCallback } from './handle.ts'
export { NvMsgBrokerStatus } from './handle.ts'
