import type { Library } from '../../kit/deepstream/library.ts'

/**
 * The lines that the original writes under its log category `NV_MSGBROKER`, which operators look for. Only what tells of the
 * outside is here: a call, a connection, a change of its state.
 */
export const CONSOLE = {
  noSettings: (path: string) =>
    `nvmsgbroker init: Failed to parse configfile [${path}]. Using default configs`,
  noLibraryPath: () => 'Path to broker proto/adapter lib cant be NULL. Connection establishment failed',
  unknownLibrary: (why: string) =>
    `unable to dlopen message adapter shared lib. Connection establishment failed. Error=${why}`,
  notConnected: ({ name }: Library) => `Connection creation failed for adapter library : ${name}`,
  connected: () => 'New Connection created successfully',
  shared: ({ name }: Library, signature: string) =>
    `nvmsgbroker_connect: Reusing an already created connection with signature[${signature}] for [${name}]`,
  sharedIsDown: () => 'nvmsgbroker_connect: Connection to broker is down. Try later',
  reconnected: () => 'nvmsgbroker reconnect: Success',
  givenUp: () => 'nvmsgbroker reconnect: Reached max reconnect retries',
  noHandle: (call: Call) =>
    call === 'subscribe'
      ? 'Error: subscribe called with null handle'
      : `${CALLS[call]} called with null handle`,
  badHandle: (call: Call) =>
    call === 'disconnect'
      ? 'Error: Invalid handle passed to nv_msgbroker_disconnect'
      : `${CALLS[call]} called with invalid handle`,
  sendDown: ({ name }: Library) => `send_async() called while reconnection in progress for [${name}]`,
  sendInvalid: ({ name }: Library) => `send_async() invalid message packet sent for [${name}]`,
  sendRefused: ({ name }: Library) => `send_async() : send failed. Error returned from adapter lib [${name}]`,
  sendFailed: ({ name }: Library) =>
    `send failed. Error returned from adapter lib send callback for [${name}]`,
  noCallback: () => 'subscribe: Error. callback pointer cant be NULL',
  noTopics: ({ name }: Library) => `subscribe: Error. topics pointer is NULL or num topics <=0 for [${name}]`,
  subscribeDown: ({ name }: Library) =>
    `subscribe: Connection Error. Reconnection attempt in progress for [${name}].try later`,
  notSupported: ({ name }: Library) =>
    `subscribe: Error - Topic Subscription capability not supported in adapter lib[${name}]`,
  subscribeFailed: ({ name }: Library) =>
    `Error. subscribe call to adapter library failed for adapter[${name}]`,
  disconnected: () => 'Disconnection Success',
} as const

type Call = 'send' | 'subscribe' | 'disconnect'

const CALLS: Readonly<Record<Call, string>> = {
  send: 'send_async()',
  subscribe: 'subscribe: subscribe',
  disconnect: 'Error: disconnect',
}
