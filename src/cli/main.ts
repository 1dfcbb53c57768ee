#!/usr/bin/env node
import process from 'node:process'

import { processIo, written } from './io.ts'
import { errorText, exitCodeOf } from './print-error.ts'
import { runCli } from './program.ts'

// A pipe that its reader has closed is no error of ours: whoever writes finds out and ends.
process.stdout.on('error', () => undefined)
process.stderr.on('error', () => undefined)

// Only a bug comes here: every promise and emitter has an owner.
process.on('uncaughtException', (error) => {
  process.stderr.write(errorText(error, false))
  process.exit(exitCodeOf(error))
})

const code = await runCli(process.argv.slice(2), processIo())
// what is written goes out first; then the process ends, whatever a terminal or pipe on stdin still holds open
await Promise.allSettled([written(process.stdout, ''), written(process.stderr, '')])
process.exit(code)
