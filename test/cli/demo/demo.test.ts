import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import process from 'node:process'
import test from 'node:test'
import { fileURLToPath } from 'node:url'

import { runDemo } from '../../../src/cli/demo/demo.ts'
import { Screen } from '../../../src/cli/demo/screen.ts'
import { RULES } from '../../../src/cli/demo/stage.ts'

const main = fileURLToPath(new URL('../../../src/cli/main.js', import.meta.url))

interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs `backhaul demo`; `interruptAt`: sends SIGINT once the output has this text. */
function demo(args: readonly string[], interruptAt?: string): Promise<Ended> {
  const child = spawn(process.execPath, [main, 'demo', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, FORCE_COLOR: '' },
  })
  let stdout = ''
  let stderr = ''
  let interrupted = false
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
    if (interrupted || interruptAt === undefined || !stdout.includes(interruptAt)) return
    interrupted = true
    child.kill('SIGINT')
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, stdout, stderr })))
}

/** What a demo said that it started: its folder, and its processes. */
function started(stdout: string): { folder: string; pids: number[] } {
  return {
    folder: /\S*backhaul-demo-\S+/.exec(stdout)?.[0] ?? '',
    pids: Array.from(stdout.matchAll(/process (\d+):/g), ([, pid]) => Number(pid)),
  }
}

function assertNothingStays(stdout: string): void {
  const { folder, pids } = started(stdout)
  assert.notEqual(folder, '')
  assert.equal(existsSync(folder), false)
  assert.equal(pids.length, 2)
  for (const pid of pids) assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' })
}

test('backhaul demo --once proves everything within 30 s, ends with 0, and nothing stays', async () => {
  const startedAt = performance.now()
  const { code, stdout, stderr } = await demo(['--once'])
  assert.equal(stderr, '')
  assert.equal(code, 0, stdout)
  assert.ok(performance.now() - startedAt < 30_000)
  const proofs = stdout.split('\n').filter((line) => line.startsWith('   ✔ '))
  assert.equal(proofs.length, 9)
  assert.match(
    stdout,
    /✔ mutual TLS +MQTT 3\.1\.1 over TLSv1\.3, TLS_\w+, certificates verified on both sides/,
  )
  assert.match(stdout, /✔ both identities +.*"CN=Backhaul demo broker".*"gate-7"/)
  const [, sent, received] = /✔ nothing is lost +(\d+) detections sent, (\d+) received/.exec(stdout) ?? []
  assert.equal(sent, received)
  assert.ok(Number(sent) >= 20)
  assert.match(stdout, /check edge\.yaml --connect/)
  // oxlint-disable-next-line no-control-regex -- no terminal, no escape sequences
  assert.doesNotMatch(stdout, /\u001b/)
  assertNothingStays(stdout)
})

test('backhaul demo ends with 130 at Ctrl-C before the verdict, and nothing stays', async () => {
  const { code, stdout } = await demo([], '1  Detections go up')
  assert.equal(code, 130)
  assertNothingStays(stdout)
})

test('backhaul demo --duration goes on after the verdict, and ends with 0', async () => {
  const { code, stdout } = await demo(['--duration', '300ms'])
  assert.equal(code, 0)
  assert.match(stdout, /It goes on: try it from another terminal/)
  assertNothingStays(stdout)
})

test('runDemo() fails at the right proof when the broker lets the device write where it may not', async () => {
  let shown = ''
  const output = {
    write: (chunk: string | Uint8Array) => {
      shown += String(chunk)
      return true
    },
    on: () => undefined,
    off: () => undefined,
  }
  const lax = RULES.map((rule) => ({ ...rule, publish: [...rule.publish, 'devices/+/detections'] }))
  const screen = new Screen(output, false)
  await assert.rejects(runDemo({ screen, signal: new AbortController().signal, rules: lax }), {
    code: 'INTERNAL',
    message: /\(nothing is lost, each to its own topics\)/,
  })
  assert.match(shown, /✘ each to its own topics +publish not refused, subscribe refused, 1 came through/)
  assert.match(shown, /✔ a stranger is refused/)
})
