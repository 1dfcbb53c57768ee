import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'

import { findCommand, without } from './require.ts'

/*
 * Apache Kafka comes as jars by their Maven coordinates (kafka/pom.xml). They are the same for every clone, so they lie
 * in the user's cache folder, whole or not at all: they are fetched beside it and moved there.
 */

const POM = fileURLToPath(new URL('../../../test/brokers/kafka/pom.xml', import.meta.url))

/** The version of Apache Kafka that tests run against, as kafka/pom.xml names it. */
export function kafkaVersion(): string {
  const found = /<artifactId>kafka_2\.13<\/artifactId>\s*<version>([^<]+)<\/version>/.exec(
    readFileSync(POM, 'utf8'),
  )
  if (found?.[1] === undefined) throw new Error(`Cannot find the version of Kafka in ${POM}`)
  return found[1]
}

/** The folder with Kafka's jars, or `undefined` where they have not been fetched. */
export function kafkaJars(): string | undefined {
  const folder = folderOfJars()
  return existsSync(folder) ? folder : undefined
}

/** Fetches Kafka's jars with Maven, unless they are there. Gives what went wrong, or `undefined`. */
export function fetchKafkaJars(): string | undefined {
  const folder = folderOfJars()
  if (existsSync(folder)) return undefined
  mkdirSync(dirname(folder), { recursive: true })
  const fresh = mkdtempSync(`${folder}-`)
  const words = ['--quiet', '--batch-mode', '--file', POM, 'dependency:copy-dependencies']
  const { status, stdout, stderr, error } = spawnSync(
    'mvn',
    [...words, '-DincludeScope=runtime', `-DoutputDirectory=${fresh}`],
    { encoding: 'utf8' },
  )
  if (status !== 0) {
    rmSync(fresh, { recursive: true, force: true })
    return `Cannot fetch Kafka: mvn ended with ${status}\n${error?.message ?? ''}${stdout}${stderr}`
  }
  try {
    renameSync(fresh, folder)
  } catch {
    // somebody else was faster
    rmSync(fresh, { recursive: true, force: true })
  }
  return undefined
}

/** As `without()`, for tests against Kafka: false where it can be started, otherwise the reason to skip. */
export function withoutKafka(...commands: readonly string[]): string | false {
  const reason = without('java', ...commands)
  if (reason !== false) return reason
  if (kafkaJars() !== undefined) return false
  const missing = 'the jars of Kafka are not there: run node build/scripts/setup-brokers.js'
  if (process.env['BROKERS'] === 'required') {
    throw new Error(`Cannot test with BROKERS=required: ${missing}`)
  }
  return missing
}

/** The path of the Java launcher. */
export function javaCommand(): string {
  const command = findCommand('java')
  if (command === undefined) throw new Error('Cannot start Kafka: java is not installed, install a JDK')
  return command
}

function folderOfJars(): string {
  const xdg = process.env['XDG_CACHE_HOME']
  const cache = xdg === undefined || xdg === '' ? join(homedir(), '.cache') : xdg
  return join(cache, 'backhaul', `kafka-${kafkaVersion()}`)
}
