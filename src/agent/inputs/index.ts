import type { InputConfig } from '../../config/index.ts'
import type { Clock, Logger } from '../../contract/index.ts'
import { BackhaulError } from '../../contract/index.ts'
import { fileInput } from './file.ts'
import type { Input } from './input.ts'
import { socketInput } from './socket.ts'
import { streamInput } from './stream.ts'

/** What inputs use of their surroundings. */
export interface InputSurroundings {
  /** The lines of a `stdin` input. */
  readonly stdin: AsyncIterable<Uint8Array>
  /** Where time comes from. */
  readonly clock: Clock
  /** The log. */
  readonly logger: Logger
}

/** Makes the input that the configuration describes. */
export function createInput(
  name: string,
  config: InputConfig,
  { stdin, clock, logger }: InputSurroundings,
): Input {
  const listening = (address: string) => logger.info({ input: name, address }, 'input listens')
  switch (config.type) {
    case 'stdin':
      return streamInput(stdin, 'stdin')
    case 'file':
      return fileInput(config, clock)
    case 'unix':
      return socketInput({ path: config.path }, listening)
    case 'tcp':
      return socketInput({ host: config.host, port: config.port }, listening)
    default:
      return unknownInput(config)
  }
}

function unknownInput(config: never): never {
  throw new BackhaulError(
    'INTERNAL',
    `Cannot make an input of ${JSON.stringify(config)}: nobody wrote one, report it`,
  )
}
