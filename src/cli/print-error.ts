import { BackhaulError, ERRORS } from '../contract/index.ts'
import { EXIT_CODE_OF } from './exit-codes.ts'
import type { ExitCode } from './exit-codes.ts'

/** Any error as one of ours: what is not ours is a bug, `INTERNAL`. */
export function asBackhaulError(error: unknown): BackhaulError {
  if (error instanceof BackhaulError) return error
  const text = error instanceof Error ? error.message : String(error)
  return new BackhaulError('INTERNAL', `Cannot go on: ${text}`, error)
}

/** The exit code that an error ends the process with. */
export function exitCodeOf(error: unknown): ExitCode {
  return EXIT_CODE_OF[asBackhaulError(error).code]
}

/**
 * An error as text for stderr, with its end of line: `error CODE: message` on one line and the usual mend as a hint on
 * a second one; or one line of JSON.
 */
export function errorText(error: unknown, json: boolean): string {
  const known = asBackhaulError(error)
  // the mistakes of a file stand below, a line each, as an editor can follow them
  const lines = known.code === 'INVALID_CONFIG' ? known.message.split('\n') : [known.message]
  const message = lines.map(oneLine).join(json ? ' ' : '\n')
  if (json) return `${JSON.stringify({ error: { ...errorFields(known), message } })}\n`
  const hint = ERRORS[known.code].mend
  const stack =
    known.code === 'INTERNAL' && known.cause instanceof Error ? `${known.cause.stack ?? ''}\n` : ''
  return `error ${known.code}: ${message}\n  hint: ${hint}\n${stack}`
}

/** What JSON output says of an error. */
export function errorFields(error: BackhaulError): Record<string, unknown> {
  const { code, message, retryable, brokerReason } = error
  return {
    code,
    message,
    hint: ERRORS[code].mend,
    retryable,
    ...(brokerReason !== undefined && { brokerReason }),
    exitCode: EXIT_CODE_OF[code],
  }
}

/** Text without line ends and other control characters, so that nothing from outside can forge a line. */
export function oneLine(text: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f]+/g, ' ').trim()
}
