import type { ErrorCode } from '../contract/index.ts'

/** What each exit code means, in order. `docs/cli.md` and `--help` print it. */
export const EXIT_CODES = {
  0: 'all is well; for run and sub also: ended by SIGINT or SIGTERM after draining',
  64: 'the command line is wrong: an option, an address, a topic',
  65: 'a message or its data is wrong: too large, not readable, refused for what it is',
  66: 'a file or another input is missing or cannot be read',
  69: 'the broker, or something else that is needed, is not available',
  70: 'Backhaul itself failed',
  74: 'the disk of the outbox failed',
  75: 'a limit was reached, try again later: the outbox is full, a message became too old',
  76: 'the other end does not speak as expected: protocol, TLS, or a broker whose certificate is not trusted',
  77: 'the broker refused the credentials, or does not let this identity do it; or the certificate has ended',
  78: 'the configuration is wrong: a file, a key, a passphrase, a certificate',
  124: 'the deadline passed',
  130: 'interrupted before the work was done',
} as const

/** One of the keys of {@link EXIT_CODES}. */
export type ExitCode = keyof typeof EXIT_CODES

/** The exit code of each error code. */
export const EXIT_CODE_OF: Readonly<Record<ErrorCode, ExitCode>> = {
  USAGE: 64,
  INVALID_OPTIONS: 64,
  INVALID_ADDRESS: 64,
  INVALID_TOPIC: 64,
  INVALID_MESSAGE: 65,
  MESSAGE_TOO_LARGE: 65,
  COMMAND_INVALID: 65,
  COMMAND_UNKNOWN: 65,
  FILE_UNREADABLE: 66,
  INPUT_FAILED: 66,
  UNREACHABLE: 69,
  NAME_NOT_FOUND: 69,
  LINK_LOST: 69,
  REFUSED: 69,
  CLOSED: 69,
  DRIVER_MISSING: 69,
  INTERNAL: 70,
  COMMAND_INTERRUPTED: 75,
  OUTBOX_IN_USE: 69,
  OUTBOX_FAILED: 74,
  OUTBOX_FULL: 75,
  EXPIRED: 75,
  PROTOCOL_ERROR: 76,
  TLS_REQUIRED: 76,
  TLS_NOT_SPOKEN: 76,
  TLS_FAILED: 76,
  SERVER_CERTIFICATE_EXPIRED: 76,
  SERVER_UNTRUSTED: 76,
  SERVER_NAME_MISMATCH: 76,
  UNSUPPORTED: 76,
  BAD_CREDENTIALS: 77,
  TOKEN_FAILED: 77,
  NOT_AUTHORIZED: 77,
  CLIENT_CERTIFICATE_REQUIRED: 77,
  CLIENT_CERTIFICATE_REFUSED: 77,
  CERTIFICATE_EXPIRED: 77,
  CERTIFICATE_NOT_YET_VALID: 77,
  INVALID_CONFIG: 78,
  KEY_INVALID: 78,
  KEY_MISMATCH: 78,
  PASSPHRASE_MISSING: 78,
  PASSPHRASE_WRONG: 78,
  PLAINTEXT_CREDENTIALS: 78,
  TIMEOUT: 124,
  DELIVERY_UNKNOWN: 124,
  ABORTED: 130,
}

/** The table of exit codes as lines of text. */
export function exitCodeLines(): string[] {
  return Object.entries(EXIT_CODES).map(([code, meaning]) => `${code.padStart(5)}  ${meaning}`)
}
