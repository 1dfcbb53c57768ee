import { readFileSync } from 'node:fs'
import process from 'node:process'

import { startEmbeddedBroker } from '../../src/cli/demo/index.ts'

// The embedded broker as a program: its options are the JSON of the file named, its log is what it prints.
const broker = await startEmbeddedBroker({
  ...JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')),
  onRefused: ({ step, identity, topic, reason }) =>
    process.stdout.write(`refused ${step} ${identity ?? '?'} ${topic ?? ''}: ${reason}\n`),
})
process.once('SIGTERM', () => void broker.close())
process.stdout.write('ready\n')
