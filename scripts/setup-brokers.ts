import { spawnSync } from 'node:child_process'
import { existsSync, rmSync, writeFileSync } from 'node:fs'
import process from 'node:process'

import { fetchKafkaJars } from '../test/brokers/kafka-jars.ts'
import { buildLibrdkafka, missingForLibrdkafka } from '../test/brokers/librdkafka.ts'
import { findCommand } from '../test/brokers/require.ts'

// Installs the brokers and tools that the tests start. As root on Debian it runs apt-get; elsewhere it says what to
// install, and the tests that need it skip (or fail, with BROKERS=required). Kafka comes as jars, by Maven;
// librdkafka is built, which takes minutes the first time.
const PACKAGES: Readonly<Record<string, string>> = {
  mosquitto: 'mosquitto',
  mosquitto_pub: 'mosquitto-clients',
  openssl: 'openssl',
  java: 'openjdk-17-jre-headless',
  mvn: 'maven',
  kcat: 'kcat',
  'rabbitmq-server': 'rabbitmq-server',
  'amqp-publish': 'amqp-tools',
  'redis-server': 'redis-server',
  'redis-cli': 'redis-tools',
  'g++': 'g++',
  make: 'make',
  python3: 'python3',
}
/** Packages that come with a service of their own name. */
const SERVICES = ['mosquitto', 'rabbitmq-server', 'redis-server']
/** A package's installation asks this program whether it may start its service: 101 means no. */
const POLICY = '/usr/sbin/policy-rc.d'

const wanted = missingPackages()
if (wanted.length > 0) {
  if (process.getuid?.() === 0 && findCommand('apt-get') !== undefined) withoutServices(() => install(wanted))
  const left = missingPackages()
  if (left.length > 0) {
    console.error(`Cannot start every broker: not installed, run as root: apt-get install ${left.join(' ')}`)
    if (process.env['BROKERS'] === 'required') process.exitCode = 1
  }
}
for (const problem of [findCommand('mvn') === undefined ? undefined : fetchKafkaJars(), librdkafka()]) {
  if (problem === undefined) continue
  console.error(problem)
  if (process.env['BROKERS'] === 'required') process.exitCode = 1
}

function missingPackages(): string[] {
  const missing = Object.entries(PACKAGES).filter(([command]) => findCommand(command) === undefined)
  return [...missing.map(([, name]) => name), ...missingForLibrdkafka()]
}

/** What went wrong; where something is missing that it is built from, that was told before. */
function librdkafka(): string | undefined {
  return missingForLibrdkafka().length === 0 ? buildLibrdkafka(console.log) : undefined
}

function install(names: readonly string[]): void {
  console.log(`Installing ${names.join(', ')}`)
  const words = ['install', '--yes', '--no-install-recommends', ...names]
  if (aptGet(words)) return
  aptGet(['update'])
  aptGet(words)
}

function aptGet(words: readonly string[]): boolean {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  // its results belong to the log of the tests only when something goes wrong
  const { status, stdout, stderr } = spawnSync('apt-get', ['--quiet', ...words], { env, encoding: 'utf8' })
  if (status !== 0) console.error(`apt-get ${words[0]} ended with ${status}\n${stdout}${stderr}`)
  return status === 0
}

/** The tests start brokers of their own, on ports of their own: none may run as a service, now or after a reboot. */
function withoutServices(task: () => void): void {
  const isOurs = !existsSync(POLICY)
  if (isOurs) writeFileSync(POLICY, '#!/bin/sh\nexit 101\n', { mode: 0o755 })
  try {
    task()
  } finally {
    if (isOurs) rmSync(POLICY, { force: true })
  }
  if (findCommand('systemctl') === undefined) return
  for (const service of SERVICES) if (wanted.includes(service)) spawnSync('systemctl', ['disable', service])
}
