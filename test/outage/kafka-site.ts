import type { KafkaBroker } from '../brokers/index.ts'
import { startKafka } from '../brokers/index.ts'
import { eachLine, untilItWorks } from './programs.ts'
import type { Arrival, OutageSite } from './site.ts'
import { faultsOf, ID_NAME } from './site.ts'

/** Silence that is noticed soon. */
const QUICK = { keepAliveMs: 500, requestTimeoutMs: 1500, publishTimeoutMs: 2000 } as const

/** A Kafka that notes when each message came. kcat reads them. */
export async function startKafkaSite(
  quick: boolean,
  options: Readonly<Record<string, unknown>>,
): Promise<OutageSite> {
  const broker = await startKafka({ proxied: ['plain'] })
  await broker.admin.createTopic('probe')
  const bootstrap = `127.0.0.1:${broker.port('plain')}`
  const probe = ['-P', '-b', bootstrap, '-t', 'probe', '-X', 'message.timeout.ms=1000']
  return {
    url: broker.url('plain'),
    options: { options: { ...options, ...(quick && QUICK) } },
    async topic(label) {
      await makeTopic(broker, label)
      return label
    },
    ...faultsOf(broker, broker.proxy('plain')),
    answers: () => untilItWorks('kcat', probe, 'x'),
    arrivals: (topic) => readTopic(broker, topic),
    [Symbol.asyncDispose]: () => broker.stop(),
  }
}

/** Reads a topic from its beginning to its end, with the broker's time of each message. */
export async function readTopic(broker: KafkaBroker, topic: string): Promise<readonly Arrival[]> {
  const arrivals: Arrival[] = []
  const where = ['-b', `127.0.0.1:${broker.port('plain')}`, '-t', topic]
  await eachLine('kcat', ['-C', '-q', '-e', '-o', 'beginning', '-f', '%T|%h|%s\n', ...where], (line) => {
    const [time = '', headers = '', ...text] = line.split('|')
    const id = new RegExp(`^${ID_NAME}=([^,]+)`).exec(headers)?.[1] ?? 'none'
    arrivals.push({ text: text.join('|'), id, atMs: Number(time) })
  })
  return arrivals
}

/** Makes a topic of three partitions that notes when each message came. */
export async function makeTopic(broker: KafkaBroker, name: string): Promise<void> {
  const configs = { 'message.timestamp.type': 'LogAppendTime' }
  await broker.admin.createTopic(name, { partitions: 3, configs })
}
