import type * as Platformatic from '@platformatic/kafka'

import { BackhaulError } from '../../../contract/index.ts'

/** The driver: its codec of Kafka's requests and answers, checksums and compression. */
export type Driver = typeof Platformatic

/** Loads the driver on first use, so that nobody pays for what they do not use. */
export async function loadDriver(): Promise<Driver> {
  try {
    return await import('@platformatic/kafka')
  } catch (cause) {
    throw new BackhaulError(
      'DRIVER_MISSING',
      'Cannot speak Kafka: the package "@platformatic/kafka" cannot be loaded, run npm install @platformatic/kafka',
      cause,
    )
  }
}

/** One request of the driver's codec, in one version. */
export interface Api<Args extends readonly unknown[], Answer> {
  /** Writes the request without its header. */
  createRequest(...args: Args): { readonly buffer: Buffer }
  /** Reads the answer without its header; throws where it tells of an error. */
  parseResponse(correlationId: number, key: number, version: number, reader: Platformatic.Reader): Answer
  /** Its number and version. */
  readonly api: { readonly key: number; readonly version: number }
}

/**
 * Reads an answer. One that tells of errors comes back like any other: the caller looks at each error code.
 *
 * @throws whatever the codec throws at bytes that are no such answer
 */
export function readAnswer<Answer>(driver: Driver, codec: Api<never, Answer>, body: Buffer): Answer {
  try {
    const { key, version } = codec.api
    return codec.parseResponse(0, key, version, driver.Reader.from(body))
  } catch (error) {
    if (!(error instanceof driver.ResponseError)) throw error
    // the driver hands the whole answer over with the error, untyped
    const answer: Answer = error['response']
    return answer
  }
}

/** The name of an error code, as Kafka's protocol has it. */
export function errorName(driver: Driver, code: number): string {
  const names: Readonly<Record<number, string>> = driver.protocolErrorsCodesById
  return names[code] ?? `error ${code}`
}
