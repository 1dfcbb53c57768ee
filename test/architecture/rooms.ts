/**
 * Which room may import which: the whole architecture as data. `rooms.test.ts` holds every import to it, and
 * ARCHITECTURE.md prints it. A room that is not built yet is not listed.
 */
export const ROOMS: Readonly<
  Record<string, { readonly holds: string; readonly imports: readonly string[] }>
> = {
  contract: {
    holds:
      'Message, Delivery, Adaptor, Link, Capabilities, Status, errors and their codes; the conformance suite',
    imports: [],
  },
  kit: {
    holds:
      'small tools, one a file: addresses, backoff, ring, ULIDs, durations, options by schema, network errors, connections of DeepStream, properties of Kafka',
    imports: ['contract'],
  },
  codec: {
    holds: 'payload schemas: detections, DeepStream minimal JSON, CloudEvents; commands and replies',
    imports: ['contract', 'kit'],
  },
  adaptors: {
    holds: 'one folder a protocol (amqp, kafka, memory, mqtt, redis), and shared/ with the MQTT session',
    imports: ['contract', 'kit'],
  },
  connection: {
    holds: 'the supervisor: dial, lost, backoff, resubscribe, fan-out, sharing, status. It never sends again',
    imports: ['contract', 'kit'],
  },
  outbox: {
    holds: 'the pump: window, order, batches, sending again, parking, limits, the account; and its stores',
    imports: ['contract', 'kit'],
  },
  identity: {
    holds: 'credentials of a dial from files, checked; the development CA',
    imports: ['contract', 'kit'],
  },
  actions: {
    holds: 'what a command can do, one folder a verb; dispatching',
    imports: ['contract', 'kit', 'codec'],
  },
  config: {
    holds: 'the YAML file into one validated model, with line and column of every problem; its JSON Schema',
    imports: ['contract', 'kit', '*/options.ts'],
  },
  client: {
    holds: 'connect(): wires adaptor, connection and outbox for a library user',
    imports: ['contract', 'kit', 'codec', 'adaptors', 'connection', 'outbox', 'identity'],
  },
  agent: {
    holds: 'the daemon: inputs, routes, commands, health',
    imports: [
      'contract',
      'kit',
      'codec',
      'adaptors',
      'connection',
      'outbox',
      'identity',
      'actions',
      'config',
      'client',
    ],
  },
  cli: {
    holds: 'one file a command, exit codes, the demo; the only room that writes to stdout',
    imports: [
      'contract',
      'kit',
      'codec',
      'adaptors',
      'connection',
      'outbox',
      'identity',
      'actions',
      'config',
      'client',
      'agent',
    ],
  },
}

/** Rooms whose folders never import one another, but for `shared/`. */
export const SILOS: readonly string[] = ['adaptors', 'actions']
