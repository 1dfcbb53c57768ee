export type { Refusal } from './broker-guard.ts'
export type { EmbeddedBroker, EmbeddedBrokerOptions, Listener } from './embedded-broker.ts'
export { startEmbeddedBroker } from './embedded-broker.ts'
export type { TopicRule } from './topic-rules.ts'
