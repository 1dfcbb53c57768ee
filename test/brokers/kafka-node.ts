import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'

import { BrokerProcess } from './broker-process.ts'
import { javaCommand } from './kafka-jars.ts'
import type { KafkaSite } from './kafka-settings.ts'
import { keysOf, writeKafkaFiles } from './kafka-settings.ts'

/** Starting takes about 4 s on a quiet machine; after a kill the old registration must end first. */
const START_TIMEOUT_MS = 60_000
/** A JVM of a few hundred megabytes that starts quickly. */
const JVM = ['-Xmx512m', '-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-Xshare:auto']

/** Writes the files of a node and gives its process, which is not started yet. */
export async function prepareNode(site: KafkaSite, jars: string): Promise<BrokerProcess> {
  const config = await writeKafkaFiles(site)
  const logging = `-Dlog4j2.configurationFile=file:${join(site.folder, 'log4j2.properties')}`
  const keys = `-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls=${keysOf(site.folder)}`
  const java = [...JVM, logging, keys, '-cp', join(jars, '*')]
  await format(java, config, site.users)
  return new BrokerProcess({
    name: `kafka node ${site.node}`,
    command: javaCommand(),
    args: [...java, '-Xlog:disable', 'kafka.Kafka', config],
    ready: /Kafka Server started/,
    readyTimeoutMs: START_TIMEOUT_MS,
  })
}

/** Writes the folder's metadata, with the users of SCRAM in it. */
async function format(
  java: readonly string[],
  config: string,
  users: Readonly<Record<string, string>>,
): Promise<void> {
  const scram = Object.entries(users).flatMap(([user, password]) =>
    ['SCRAM-SHA-256', 'SCRAM-SHA-512'].flatMap((mechanism) => [
      '--add-scram',
      `${mechanism}=[name=${user},password=${password}]`,
    ]),
  )
  const words = ['kafka.tools.StorageTool', 'format', '-t', 'YmFja2hhdWwtdGVzdHMtMQ', '-c', config, ...scram]
  await promisify(execFile)(javaCommand(), [...java, ...words])
}

/** Runs one of Kafka's own command-line tools by its class; resolves to what it printed. */
export async function runTool(
  jars: string,
  className: string,
  words: readonly string[],
  input: string | undefined,
): Promise<string> {
  // without the broker's log settings: its log goes to the output, where a tool has its results
  const java = [...JVM, '-cp', join(jars, '*'), className, ...words]
  const running = promisify(execFile)(javaCommand(), java, { maxBuffer: 64 * 1024 ** 2, timeout: 60_000 })
  running.child.stdin?.end(input ?? '')
  return (await running).stdout
}
