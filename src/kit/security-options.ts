import { z } from 'zod'

import { TLS_VERSIONS } from '../contract/index.ts'
import { durationOption, flagOption } from './options.ts'

const material = z.string().min(1)

/**
 * The `tls` block of every connection. Each of `ca`, `cert`, `key` is PEM text, or the path of a PEM file.
 * Anything named here turns TLS on; a mistyped name is an error, never a plaintext connection.
 */
export const tlsOptionsSchema = z.strictObject({
  ca: z
    .union([material, z.array(material).min(1)])
    .optional()
    .describe('CA certificates to trust: PEM text or files. Default: the list built into Node.js'),
  cert: material.optional().describe('Client certificate and its chain: PEM text or a file'),
  key: material.optional().describe('Private key of the client certificate: PEM text or a file'),
  pfx: material.optional().describe('PKCS#12 file with certificate and key, in place of cert and key'),
  passphrase: z.string().optional().describe('Passphrase of the key or the PKCS#12 file'),
  passphraseFile: material.optional().describe('File whose first line is the passphrase'),
  crl: z
    .union([material, z.array(material).min(1)])
    .optional()
    .describe(
      'Revocation lists of the CA and of each intermediate one: PEM text, or files in PEM or DER. A revoked broker is refused',
    ),
  serverName: material
    .optional()
    .describe('Name to verify in the certificate of the broker. Default: the host'),
  minVersion: z.enum(TLS_VERSIONS).default('TLSv1.2').describe('Lowest TLS version'),
  maxVersion: z.enum(TLS_VERSIONS).default('TLSv1.3').describe('Highest TLS version'),
  ciphers: material.optional().describe('Cipher suites, in the notation of OpenSSL'),
  curves: material.optional().describe('Curves for the key exchange, separated by colons'),
  insecureSkipHostName: flagOption
    .default(false)
    .describe(
      'true: the name in the certificate of the broker is not verified, so that whoever has any certificate of the CA can be it. It shows in health',
    ),
  insecureSkipVerify: flagOption
    .default(false)
    .describe('true: the certificate of the broker is not verified. Never in production; it shows in health'),
})

/** The checked form of {@link tlsOptionsSchema}. */
export type TlsOptions = z.output<typeof tlsOptionsSchema>

const authShape = {
  user: z.string().min(1).optional().describe('Name of the user. Needed, unless a token says who it is'),
  password: z.string().optional().describe('Password; better by passwordFile or a reference'),
  passwordFile: material.optional().describe('File whose first line is the password'),
  tokenCommand: z
    .array(z.string())
    .min(1)
    .optional()
    .describe(
      'Program and its arguments, run without a shell at each dial: the first line that it prints is the token (OAUTHBEARER of Kafka), or the password',
    ),
  tokenTimeoutMs: durationOption(1, 600_000).default(10_000).describe('How long a token may take'),
}

/** The `auth` block of a connection in a file. */
export const authOptionsSchema = z.strictObject(authShape).superRefine(needsUser)

/** The `auth` block of `connect()`. */
export const authInputSchema = z
  .strictObject({
    ...authShape,
    token: z
      .custom<TokenSource>((value) => typeof value === 'function', 'must be a function')
      .optional()
      .describe('Gives the token, or the password, of each dial'),
  })
  .superRefine(needsUser)

/** Gives the token of one dial; the signal says that nobody waits for it any more. */
export type TokenSource = (signal: AbortSignal) => string | Promise<string>

/** The checked form of {@link authInputSchema}. */
export type AuthOptions = z.output<typeof authInputSchema>

function needsUser(
  { user, tokenCommand, token }: { user?: unknown; tokenCommand?: unknown; token?: unknown },
  context: z.RefinementCtx,
): void {
  if (user !== undefined || tokenCommand !== undefined || token !== undefined) return
  context.addIssue({ code: 'invalid_type', expected: 'string', path: ['user'], input: undefined })
}
