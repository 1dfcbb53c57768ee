export type { DialCredentials } from './mqtt/dial.ts'
export type { MqttSession } from './mqtt/session.ts'
export { openSession } from './mqtt/session.ts'
export type { MqttSettings, ProtocolLevel, Qos, SessionFacts, SessionTools, Will } from './mqtt/settings.ts'
export type { OpenSocket, SocketRequest, WebSocketRequest } from './socket.ts'
export { hostAndPort, openSocket, speaksTls, tlsOptions, tlsRequired } from './socket.ts'
export {
  checkTopicFilter,
  checkTopicName,
  hasWildcard,
  matchesFilter,
  splitSharedFilter,
} from './topic-filter.ts'
