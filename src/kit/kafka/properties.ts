/*
 * Every property of librdkafka 2.15 (its CONFIGURATION.md), each in one class. What is in no class is unknown.
 *
 * - translated: it becomes an option of ours, or a part of the address; the word beside it says which.
 * - security: it becomes a TLS setting or a credential.
 * - tuning: it only tunes librdkafka's own machinery. With the other driver it is accepted, and said once to have no effect.
 * - refused: it would change security or meaning, and only librdkafka has it.
 */

/** See the top of this file. */
export type PropertyClass = 'translated' | 'security' | 'tuning' | 'refused'

/** Our option for each property that is translated. `hosts` and `group` are no options, but parts of the address and of subscribing. */
export const TRANSLATED: Readonly<Record<string, string>> = {
  'bootstrap.servers': 'hosts',
  'metadata.broker.list': 'hosts',
  'group.id': 'group',
  'client.id': 'clientId',
  'message.max.bytes': 'maxMessageBytes',
  'max.in.flight.requests.per.connection': 'maxInFlightRequests',
  'max.in.flight': 'maxInFlightRequests',
  'topic.metadata.refresh.interval.ms': 'metadataRefreshMs',
  'metadata.max.age.ms': 'metadataRefreshMs',
  'topic.metadata.propagation.max.ms': 'topicTimeoutMs',
  'socket.timeout.ms': 'requestTimeoutMs',
  'socket.connection.setup.timeout.ms': 'connectTimeoutMs',
  'isolation.level': 'isolation',
  'group.instance.id': 'groupInstanceId',
  'session.timeout.ms': 'sessionTimeoutMs',
  'heartbeat.interval.ms': 'heartbeatIntervalMs',
  'max.poll.interval.ms': 'rebalanceTimeoutMs',
  'auto.commit.interval.ms': 'commitIntervalMs',
  'fetch.wait.max.ms': 'fetchWaitMs',
  'fetch.message.max.bytes': 'fetchMaxBytes',
  'max.partition.fetch.bytes': 'fetchMaxBytes',
  'request.required.acks': 'acks',
  acks: 'acks',
  'enable.idempotence': 'idempotence',
  'compression.codec': 'compression',
  'compression.type': 'compression',
  'message.timeout.ms': 'publishTimeoutMs',
  'delivery.timeout.ms': 'publishTimeoutMs',
  partitioner: 'partitioner',
  'auto.offset.reset': 'start',
}

/** The TLS setting or credential for each property of security. `protocol`, `mechanism`, `verify` and `endpoint` are read by their values. */
export const SECURITY: Readonly<Record<string, string>> = {
  'security.protocol': 'protocol',
  'ssl.cipher.suites': 'ciphers',
  'ssl.curves.list': 'curves',
  'ssl.key.location': 'key',
  'ssl.key.pem': 'key',
  'ssl.key.password': 'passphrase',
  'ssl.certificate.location': 'cert',
  'ssl.certificate.pem': 'cert',
  'ssl.ca.location': 'ca',
  'ssl.ca.pem': 'ca',
  'ssl.crl.location': 'crl',
  'ssl.keystore.location': 'pfx',
  'ssl.keystore.password': 'passphrase',
  'enable.ssl.certificate.verification': 'verify',
  'ssl.endpoint.identification.algorithm': 'endpoint',
  'sasl.mechanisms': 'mechanism',
  'sasl.mechanism': 'mechanism',
  'sasl.username': 'user',
  'sasl.password': 'password',
}

const TUNING = words(`
  api.version.fallback.ms api.version.request api.version.request.timeout.ms batch.num.messages batch.size
  broker.address.ttl broker.version.fallback check.crcs client.dns.lookup compression.level connections.max.idle.ms
  consume.callback.max.messages coordinator.query.interval.ms debug delivery.report.only.error enable.auto.offset.store
  enable.gapless.guarantee enable.metrics.push enable.partition.eof enable.random.seed enabled_events
  fetch.error.backoff.ms fetch.max.bytes fetch.min.bytes fetch.queue.backoff.ms internal.termination.signal linger.ms
  log.connection.close log.queue log.thread.name log_level max.poll.records message.copy.max.bytes
  message.send.max.retries metadata.recovery.rebootstrap.trigger.ms metadata.recovery.strategy
  offset.store.sync.interval.ms produce.offset.report queue.buffering.backpressure.threshold queue.buffering.max.kbytes
  queue.buffering.max.messages queue.buffering.max.ms queued.max.messages.kbytes queued.min.messages queuing.strategy
  receive.message.max.bytes reconnect.backoff.jitter.ms reconnect.backoff.max.ms reconnect.backoff.ms
  request.timeout.ms retries retry.backoff.max.ms retry.backoff.ms socket.blocking.max.ms socket.keepalive.enable
  socket.max.fails socket.nagle.disable socket.receive.buffer.bytes socket.send.buffer.bytes statistics.interval.ms
  sticky.partitioning.linger.ms topic.metadata.refresh.fast.cnt topic.metadata.refresh.fast.interval.ms
  topic.metadata.refresh.sparse transaction.timeout.ms auto.commit.enable enable.auto.commit
`)

const REFUSED = words(`
  allow.auto.create.topics background_event_cb broker.address.family builtin.features client.rack closesocket_cb
  connect_cb consume_cb default_topic_conf dr_cb dr_msg_cb enable.sasl.oauthbearer.unsecure.jwt error_cb group.protocol
  group.protocol.type group.remote.assignor https.ca.location https.ca.pem interceptors log_cb msg_order_cmp
  oauthbearer_token_refresh_cb offset.store.method offset.store.path offset_commit_cb opaque open_cb
  partition.assignment.strategy partitioner_cb plugin.library.paths rebalance_cb resolve_cb
  sasl.kerberos.keytab sasl.kerberos.kinit.cmd sasl.kerberos.min.time.before.relogin sasl.kerberos.principal
  sasl.kerberos.service.name sasl.oauthbearer.assertion.algorithm sasl.oauthbearer.assertion.claim.aud
  sasl.oauthbearer.assertion.claim.exp.seconds sasl.oauthbearer.assertion.claim.iss
  sasl.oauthbearer.assertion.claim.jti.include sasl.oauthbearer.assertion.claim.nbf.seconds
  sasl.oauthbearer.assertion.claim.sub sasl.oauthbearer.assertion.file sasl.oauthbearer.assertion.jwt.template.file
  sasl.oauthbearer.assertion.private.key.file sasl.oauthbearer.assertion.private.key.passphrase
  sasl.oauthbearer.assertion.private.key.pem sasl.oauthbearer.client.credentials.client.id
  sasl.oauthbearer.client.credentials.client.secret sasl.oauthbearer.client.id sasl.oauthbearer.client.secret
  sasl.oauthbearer.config sasl.oauthbearer.extensions sasl.oauthbearer.grant.type
  sasl.oauthbearer.metadata.authentication.type sasl.oauthbearer.method sasl.oauthbearer.scope
  sasl.oauthbearer.sub.claim.name sasl.oauthbearer.token.endpoint.url share.acknowledgement.mode socket_cb
  ssl.ca.certificate.stores ssl.certificate.verify_cb ssl.engine.id ssl.engine.location ssl.providers
  ssl.sigalgs.list ssl_ca ssl_certificate ssl_engine_callback_data ssl_key stats_cb throttle_cb topic.blacklist
  transactional.id
`)

/** Properties of what the adaptor does itself, whatever the driver: when it confirms, what it is told of, what it sends again. */
export const OURS: ReadonlySet<string> = new Set(
  words(`
  auto.commit.enable delivery.report.only.error enable.auto.commit enable.auto.offset.store enable.gapless.guarantee
  enable.partition.eof enabled_events internal.termination.signal log.queue offset.store.method offset.store.path
  offset.store.sync.interval.ms produce.offset.report log.connection.close consume.callback.max.messages
`),
)

/** Properties that are no text but pointers, and what would make another client of it. */
export const UNTRANSFERABLE: ReadonlySet<string> = new Set(
  words(`
  background_event_cb builtin.features closesocket_cb connect_cb consume_cb default_topic_conf dr_cb dr_msg_cb error_cb
  interceptors log_cb msg_order_cmp oauthbearer_token_refresh_cb offset_commit_cb opaque open_cb partitioner_cb
  rebalance_cb resolve_cb share.acknowledgement.mode socket_cb ssl.certificate.verify_cb ssl_ca ssl_certificate
  ssl_engine_callback_data ssl_key stats_cb throttle_cb transactional.id
`),
)

/** Every property with its class. */
export const PROPERTIES: ReadonlyMap<string, PropertyClass> = new Map<string, PropertyClass>([
  ...REFUSED.map((name): [string, PropertyClass] => [name, 'refused']),
  ...TUNING.map((name): [string, PropertyClass] => [name, 'tuning']),
  ...Object.keys(SECURITY).map((name): [string, PropertyClass] => [name, 'security']),
  ...Object.keys(TRANSLATED).map((name): [string, PropertyClass] => [name, 'translated']),
])

function words(text: string): string[] {
  return text.trim().split(/\s+/)
}
