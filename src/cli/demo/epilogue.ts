import { basename, relative } from 'node:path'
import process from 'node:process'

import type { Screen } from './screen.ts'
import type { Cast } from './scenario.ts'

/** How Backhaul is called from here: what was typed to start this process, in short. */
export function programName(script = process.argv[1] ?? '', folder = process.cwd()): string {
  if (script.includes('node_modules') || basename(script) === 'backhaul') return 'npx backhaul'
  return `node ${relative(folder, script)}`
}

/** What to try while the demo goes on, from another terminal. */
export function showInvitation({ stage, url, cloud, screen }: Omit<Cast, 'device'>, program: string): void {
  const { ca, cert, key } = stage.cloud
  const identity = `--ca ${ca} --cert ${cert} --key ${key}`
  screen.heading('It goes on: try it from another terminal')
  screen.line('what arrives, seen by you as the cloud:')
  screen.command(`${program} sub ${url} 'devices/+/detections' ${identity}`)
  screen.line('a command, and in the first terminal its reply:')
  screen.command(`${program} sub ${url} 'devices/+/replies' ${identity}`)
  screen.command(
    `echo '{"id":"1","command":"ping"}' | ${program} pub ${url} devices/gate-7/commands ${identity}`,
  )
  screen.line('what the device runs on:')
  screen.command(`cat ${stage.folder}/edge.yaml`)
  screen.aside(
    `the cloud of the demo is process ${cloud.pid}; Ctrl-C ends everything and removes ${stage.folder}`,
  )
}

/** How to go on with a broker of one's own. */
export function showWayOn(screen: Screen, program: string): void {
  const identity = '--ca ca.pem --cert gate-7.pem --key gate-7.key'
  screen.heading('Go on with a broker of your own')
  screen.line(
    'send and listen, with the certificates that your broker knows (or --user and --password-file):',
  )
  screen.command(`${program} sub mqtts://broker.example:8883 'devices/#' ${identity}`)
  screen.command(
    `echo '{"people":3}' | ${program} pub mqtts://broker.example:8883 devices/gate-7/detections ${identity}`,
  )
  screen.line('run the agent: put this into edge.yaml,')
  for (const line of EDGE_YAML) screen.aside(`  ${line}`)
  screen.line('then see whether it is right, and run it:')
  screen.command(`${program} check edge.yaml --connect`)
  screen.command(`your-detector | ${program} run edge.yaml`)
}

const EDGE_YAML = [
  'version: 1',
  'device: { id: gate-7 }',
  'connections:',
  '  cloud:',
  '    url: mqtts://broker.example:8883',
  '    tls: { ca: ca.pem, cert: gate-7.pem, key: gate-7.key }',
  'inputs:',
  '  camera: { type: stdin, schema: detection }',
  'routes:',
  "  - { from: camera, to: cloud, topic: 'devices/{device}/detections', payload: cloudevents }",
  'commands:',
  "  - { connection: cloud, topics: ['devices/{device}/commands'], replyTopic: 'devices/{device}/replies' }",
]
