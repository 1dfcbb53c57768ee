import { setTimeout } from 'node:timers/promises'

import type { Admin } from '@platformatic/kafka'

/** What a test sets up at a Kafka, over its plaintext listener. Connects at the first call. */
export interface KafkaAdmin {
  /** Makes a topic; resolves when it can be used. */
  createTopic(name: string, options?: TopicOptions): Promise<void>
  /** Grants rights to a user, or to the common name of a client certificate. */
  allow(user: string, ...rights: readonly KafkaRight[]): Promise<void>
  /** Takes rights back that were granted. */
  revoke(user: string, ...rights: readonly KafkaRight[]): Promise<void>
  /** Gives a topic more partitions: `count` in all. */
  addPartitions(name: string, count: number): Promise<void>
  /** Deletes the messages of a topic's first partition before an offset. */
  deleteRecords(name: string, before: number): Promise<void>
  /** The offset behind the last message of each partition. */
  ends(name: string): Promise<number[]>
  /** The node that leads a partition now. */
  leaderOf(name: string, partition?: number): Promise<number>
  /** The node that coordinates a group now. */
  coordinatorOf(group: string): Promise<number>
  /** Writes values in one transaction, which is committed or given up. */
  transaction(topic: string, values: readonly string[], end: 'commit' | 'abort'): Promise<void>
  /** Ends its connection. */
  close(): Promise<void>
}

/** How a topic is made. */
export interface TopicOptions {
  /** @default 1 */
  readonly partitions?: number
  /** Copies of each partition. @default 1 */
  readonly replicas?: number
  /** Kafka's own settings of topics, for example `{ 'max.message.bytes': '2000' }`. */
  readonly configs?: Readonly<Record<string, string>>
}

/** A right on topics or groups: all whose name begins with the text before `*`, or the one of this name. */
export type KafkaRight = `${'read' | 'write' | 'describe'} ${'topic' | 'group'} ${string}`

/** Makes the administrator of a broker. */
export function kafkaAdmin(...addresses: readonly string[]): KafkaAdmin {
  let connected: Promise<Admin> | undefined
  const connect = () => (connected ??= open(addresses))
  return {
    async createTopic(name, { partitions = 1, replicas = 1, configs = {} } = {}) {
      const admin = await connect()
      const pairs = Object.entries(configs).map(([key, value]) => ({ name: key, value }))
      await whileFenced(() => admin.createTopics({ topics: [name], partitions, replicas, configs: pairs }))
      await untilKnown(admin, name, partitions)
    },
    async allow(user, ...rights) {
      const admin = await connect()
      const acls = await aclsOf(user, rights)
      await admin.createAcls({ creations: acls })
      await untilInForce(admin, acls, true)
    },
    async revoke(user, ...rights) {
      const admin = await connect()
      const acls = await aclsOf(user, rights)
      await admin.deleteAcls({ filters: acls })
      await untilInForce(admin, acls, false)
    },
    async addPartitions(name, count) {
      const admin = await connect()
      await admin.createPartitions({ topics: [{ name, count }] })
      await untilKnown(admin, name, count)
    },
    async deleteRecords(name, before) {
      const admin = await connect()
      const partitions = [{ partition: 0, offset: BigInt(before) }]
      await admin.deleteRecords({ topics: [{ name, partitions }] })
    },
    async ends(name) {
      const admin = await connect()
      const count = (await admin.metadata({ topics: [name] })).topics.get(name)?.partitions.length ?? 0
      const partitions = Array.from({ length: count }, (_, index) => ({
        partitionIndex: index,
        timestamp: -1n,
      }))
      const [topic] = await admin.listOffsets({ topics: [{ name, partitions }] })
      return topic?.partitions.map(({ offset }) => Number(offset)) ?? []
    },
    async leaderOf(name, partition = 0) {
      const admin = await connect()
      const { topics } = await admin.metadata({ topics: [name], forceUpdate: true })
      return topics.get(name)?.partitions[partition]?.leader ?? -1
    },
    async coordinatorOf(group) {
      const { FindCoordinatorKeyTypes } = await import('@platformatic/kafka')
      const admin = await connect()
      const [found] = await admin.findCoordinator({ keyType: FindCoordinatorKeyTypes.GROUP, keys: [group] })
      return found?.nodeId ?? -1
    },
    async transaction(topic, values, end) {
      const { Producer, stringSerializers } = await import('@platformatic/kafka')
      const producer = new Producer({
        clientId: 'test-transaction',
        bootstrapBrokers: [...addresses],
        idempotent: true,
        transactionalId: `test-${topic}`,
        producerId: -1n,
        producerEpoch: -1,
        serializers: stringSerializers,
      })
      const transaction = await producer.beginTransaction()
      await transaction.send({ messages: values.map((value) => ({ topic, value })) })
      await (end === 'commit' ? transaction.commit() : transaction.abort())
      await producer.close()
    },
    async close() {
      const admin = await connected?.catch(() => undefined)
      connected = undefined
      await admin?.close()
    },
  }
}

async function aclsOf(user: string, rights: readonly KafkaRight[]) {
  const { AclOperations, AclPermissionTypes, ResourcePatternTypes, ResourceTypes } =
    await import('@platformatic/kafka')
  const operations = {
    read: AclOperations.READ,
    write: AclOperations.WRITE,
    describe: AclOperations.DESCRIBE,
  }
  return rights.map((right) => {
    const [operation = '', kind = '', name = ''] = right.split(' ')
    const prefixed = name.endsWith('*') && name !== '*'
    return {
      resourceType: kind === 'topic' ? ResourceTypes.TOPIC : ResourceTypes.GROUP,
      resourceName: prefixed ? name.slice(0, -1) : name,
      resourcePatternType: prefixed ? ResourcePatternTypes.PREFIXED : ResourcePatternTypes.LITERAL,
      principal: `User:${user}`,
      host: '*',
      operation: operation === 'read' || operation === 'write' ? operations[operation] : operations.describe,
      permissionType: AclPermissionTypes.ALLOW,
    }
  })
}

/** On a machine that is busy a broker may be late with its heartbeat; for a moment it counts as away then. */
async function whileFenced<T>(work: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await work()
    } catch (error) {
      const reasons = error instanceof AggregateError ? error.errors.map(String).join() : String(error)
      if (tries > 100 || !/replication factor/i.test(reasons)) throw error
    }
    await setTimeout(50)
  }
}

/** The broker hears of a new topic from the controller a moment later. */
async function untilKnown(admin: Admin, topic: string, count = 1): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      const { topics } = await admin.metadata({ topics: [topic], forceUpdate: true })
      const partitions = topics.get(topic)?.partitions ?? []
      if (partitions.length >= count && partitions.every(({ leader }) => leader >= 0)) return
    } catch (error) {
      if (tries > 100) throw error
    }
    await setTimeout(50)
  }
}

/** A broker hears of changed rights a moment after the controller has them. */
async function untilInForce(
  admin: Admin,
  acls: Awaited<ReturnType<typeof aclsOf>>,
  granted: boolean,
): Promise<void> {
  for (const filter of acls) {
    for (let tries = 1; (await admin.describeAcls({ filter })).length > 0 !== granted; tries += 1) {
      if (tries > 200) throw new Error(`the rights of ${filter.principal} did not come into force`)
      await setTimeout(25)
    }
  }
}

async function open(addresses: readonly string[]): Promise<Admin> {
  const { Admin } = await import('@platformatic/kafka')
  return new Admin({ clientId: 'test-admin', bootstrapBrokers: [...addresses], retries: 3, retryDelay: 200 })
}
