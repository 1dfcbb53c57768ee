/**
 * The closed list of error codes: what each means, what mends it, and whether trying again can help by itself.
 * `docs/errors.md` is made from it. Codes are only ever added.
 */
export const ERRORS = {
  USAGE: { retryable: false, means: 'The command line is wrong', mend: 'Run the command with --help' },
  INVALID_CONFIG: {
    retryable: false,
    means: 'A configuration file is not valid',
    mend: 'Mend the named line; backhaul check FILE shows them all',
  },
  INVALID_OPTIONS: {
    retryable: false,
    means: 'An option is unknown, of the wrong type, or contradicts another',
    mend: 'Use the option that the message names',
  },
  INVALID_ADDRESS: {
    retryable: false,
    means: 'An address cannot be read',
    mend: 'Write it as scheme://host:port, for example mqtts://broker:8883',
  },
  INVALID_TOPIC: {
    retryable: false,
    means: "A topic breaks the protocol's rules",
    mend: 'Choose another topic name',
  },
  INVALID_MESSAGE: {
    retryable: false,
    means: 'A message cannot be sent or read as it is',
    mend: 'Mend the part that the message names',
  },
  MESSAGE_TOO_LARGE: {
    retryable: false,
    means: 'A message is larger than the link or the broker takes',
    mend: "Send less, or raise the broker's limit",
  },
  FILE_UNREADABLE: {
    retryable: false,
    means: 'A file is missing or may not be read',
    mend: 'Check the path and its permissions',
  },
  KEY_INVALID: {
    retryable: false,
    means: 'A key, certificate or PKCS#12 file is not what it should be',
    mend: 'Give PEM text, or a PKCS#12 file',
  },
  PASSPHRASE_MISSING: {
    retryable: false,
    means: 'A private key is encrypted and no passphrase was given',
    mend: 'Give the passphrase, best by file',
  },
  PASSPHRASE_WRONG: {
    retryable: false,
    means: 'The passphrase does not open the private key',
    mend: 'Give the passphrase that the key was made with',
  },
  KEY_MISMATCH: {
    retryable: false,
    means: 'The private key does not belong to the certificate',
    mend: 'Give the pair that was made together',
  },
  CERTIFICATE_EXPIRED: {
    retryable: true,
    means: 'Our own certificate has ended',
    mend: 'Renew it; the next try reads the file again',
  },
  CERTIFICATE_NOT_YET_VALID: {
    retryable: true,
    means: 'Our own certificate is not valid yet',
    mend: "Check this machine's clock, or wait",
  },
  SERVER_CERTIFICATE_EXPIRED: {
    retryable: true,
    means: "The broker's certificate has ended, or is not valid yet",
    mend: "Renew it at the broker, or set this machine's clock",
  },
  SERVER_UNTRUSTED: {
    retryable: true,
    means: "The broker's certificate was not issued by a CA that we trust, or is revoked",
    mend: "Give the broker's CA certificate, and the revocation list that is valid now",
  },
  SERVER_NAME_MISMATCH: {
    retryable: true,
    means: "The broker's certificate is for another name",
    mend: 'Dial the name in the certificate, or set the server name',
  },
  CLIENT_CERTIFICATE_REQUIRED: {
    retryable: true,
    means: 'The broker demands a client certificate and got none',
    mend: 'Give a certificate and its key',
  },
  CLIENT_CERTIFICATE_REFUSED: {
    retryable: true,
    means: 'The broker does not accept our certificate',
    mend: 'Have it issued by a CA that the broker trusts',
  },
  TLS_REQUIRED: {
    retryable: true,
    means: 'The port speaks TLS and was dialled in plaintext',
    mend: 'Use the address form with TLS, for example mqtts://',
  },
  TLS_NOT_SPOKEN: {
    retryable: true,
    means: 'The port does not speak TLS',
    mend: "Use the broker's TLS port",
  },
  TLS_FAILED: {
    retryable: true,
    means: 'The TLS handshake failed: no version, cipher suite or curve in common, or an alert',
    mend: 'Compare the TLS settings of both sides',
  },
  PLAINTEXT_CREDENTIALS: {
    retryable: false,
    means: 'A password would travel in plaintext beyond this machine',
    mend: 'Use TLS, or say allowPlaintextCredentials: true',
  },
  UNREACHABLE: {
    retryable: true,
    means: 'Nothing answers at the address',
    mend: 'Check that the broker runs, and the port and firewall',
  },
  NAME_NOT_FOUND: {
    retryable: true,
    means: 'The host name does not resolve',
    mend: 'Check the name and DNS',
  },
  TIMEOUT: {
    retryable: true,
    means: 'The peer did not answer in time',
    mend: 'Check the network and the load of the broker',
  },
  BAD_CREDENTIALS: {
    retryable: true,
    means: 'The broker refused the user, password or client id',
    mend: 'Check the credentials at both sides',
  },
  TOKEN_FAILED: {
    retryable: true,
    means: 'No token for the broker could be had: the command or function that gives it failed',
    mend: 'Run the command by hand; it is called again at each dial',
  },
  NOT_AUTHORIZED: {
    retryable: true,
    means: 'The broker does not let this identity do this',
    mend: "Add the right to the broker's access list",
  },
  REFUSED: { retryable: true, means: 'The broker refused, for a reason of its own', mend: 'See its reason' },
  PROTOCOL_ERROR: {
    retryable: true,
    means: 'The peer broke the protocol',
    mend: 'Check that the address is of a broker of this protocol',
  },
  LINK_LOST: {
    retryable: true,
    means: 'The link to the broker ended',
    mend: 'It is dialled again by itself',
  },
  DELIVERY_UNKNOWN: {
    retryable: true,
    means: 'A deadline passed after the message had gone out: it may have arrived',
    mend: 'Send it again with the same id',
  },
  OUTBOX_FULL: {
    retryable: true,
    means: 'The outbox has reached its limit',
    mend: 'Wait, raise the limit, or choose a policy that drops',
  },
  OUTBOX_IN_USE: {
    retryable: true,
    means: 'Another process writes to the folder of the outbox',
    mend: 'Stop it, or give each its own folder',
  },
  OUTBOX_FAILED: {
    retryable: true,
    means: 'The disk of the outbox cannot be read or written as it should',
    mend: 'Check the disk; backhaul outbox verify tells what is intact',
  },
  EXPIRED: {
    retryable: false,
    means: 'The message became older than its limit before it was delivered',
    mend: 'Raise the age limit, or mend what kept it',
  },
  CLOSED: { retryable: false, means: 'The connection was closed', mend: 'Open a new one' },
  ABORTED: { retryable: false, means: 'The caller gave up', mend: 'Call again' },
  UNSUPPORTED: {
    retryable: false,
    means: 'This adaptor, broker or protocol version cannot do it',
    mend: 'See the capabilities of the adaptor',
  },
  DRIVER_MISSING: {
    retryable: false,
    means: 'An optional package is not installed',
    mend: 'Run the npm install that the message names',
  },
  INPUT_FAILED: {
    retryable: true,
    means: 'An input of the agent cannot be opened or read',
    mend: 'Check the path, port or format',
  },
  COMMAND_INVALID: {
    retryable: false,
    means: 'A command cannot be read, or its arguments do not fit',
    mend: 'Send it in the form of docs/commands.md',
  },
  COMMAND_UNKNOWN: {
    retryable: false,
    means: 'There is no such command on this device',
    mend: 'Use a command that the reply lists',
  },
  COMMAND_INTERRUPTED: {
    retryable: false,
    means: 'The device ended while it carried a command out: it may be done in part',
    mend: 'Look at what was done, and send it again with a new id',
  },
  INTERNAL: {
    retryable: false,
    means: 'Backhaul itself failed',
    mend: 'Report it with the message and its cause',
  },
} as const satisfies Record<string, { retryable: boolean; means: string; mend: string }>

/** One of the closed list in {@link ERRORS}. */
export type ErrorCode = keyof typeof ERRORS

/** One thing that is wrong with some options: where, and in words what and how to mend it. */
export interface OptionProblem {
  /** Keys and indices from the root to the place. */
  readonly path: readonly PropertyKey[]
  /** A key that nobody knows, a key that is not there, or a value that does not fit. */
  readonly kind: 'unknown' | 'missing' | 'invalid'
  /** A phrase without a final period. */
  readonly text: string
  /** The known name that is nearest to what was written, where one is near. */
  readonly nearest: string | undefined
}

/** What a broker's refusal covers. */
export type RefusalScope = 'message' | 'topic' | 'link'

/** Facts that travel with an error. */
export interface ErrorFacts {
  /** What a refusal covers. */
  readonly scope?: RefusalScope
  /** The broker's own word for it: a reason code, an error name. */
  readonly brokerReason?: string
  /** What is wrong with some options, each with its place. */
  readonly problems?: readonly OptionProblem[]
}

/**
 * The one error class: switch on `code`, never on the text.
 * The text reads "Cannot (do what): (state), (fix)" and holds no secret.
 */
export class BackhaulError extends Error {
  /** What happened, from the closed list. */
  readonly code: ErrorCode
  /** What a refusal covers, where this is one. */
  readonly scope: RefusalScope | undefined
  /** The broker's own word for it, where there is one. */
  readonly brokerReason: string | undefined
  /** What is wrong with some options, each with its place; empty where it is not about options. */
  readonly problems: readonly OptionProblem[]

  /**
   * @param code - one of {@link ERRORS}
   * @param message - "Cannot X: state, fix", without a final period and without secrets
   * @param cause - the error underneath
   */
  constructor(code: ErrorCode, message: string, cause?: unknown, facts: ErrorFacts = {}) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'BackhaulError'
    this.code = code
    this.scope = facts.scope
    this.brokerReason = facts.brokerReason
    this.problems = facts.problems ?? []
  }

  /** Whether the same call can succeed later without a change of its arguments. */
  get retryable(): boolean {
    return ERRORS[this.code].retryable
  }
}
