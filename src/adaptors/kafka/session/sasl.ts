import { createHash, createHmac, pbkdf2, randomBytes, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'

import type { Auth } from '../../../contract/index.ts'
import { BackhaulError } from '../../../contract/index.ts'
import type { BrokerConnection } from './connection.ts'
import type { Driver } from './driver.ts'
import { errorName } from './driver.ts'
import { kafkaError, violation } from '../errors.ts'

/*
 * SASL over Kafka's SaslHandshake and SaslAuthenticate: PLAIN (RFC 4616), SCRAM (RFC 5802, without channel binding) and
 * OAUTHBEARER (RFC 7628). The broker's own proof of SCRAM is checked too: a broker that does not know the password is left.
 */

/** How a user proves itself. */
export const SASL_MECHANISMS = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512', 'OAUTHBEARER'] as const
/** One of {@link SASL_MECHANISMS}. */
export type SaslMechanism = (typeof SASL_MECHANISMS)[number]

const derive = promisify(pbkdf2)
const SCRAM_HASHES = { 'SCRAM-SHA-256': 'sha256', 'SCRAM-SHA-512': 'sha512' } as const
/** RFC 7677 asks for at least so many rounds; a peer that asks for endless work is left. */
const SCRAM_ROUNDS = { least: 4096, most: 1_000_000 }

/** Proves who we are. `auth.password` is the token for OAUTHBEARER. */
export async function authenticate(
  driver: Driver,
  connection: BrokerConnection,
  mechanism: SaslMechanism,
  auth: Auth,
): Promise<void> {
  if (mechanism !== 'OAUTHBEARER' && auth.user === '') {
    throw new BackhaulError(
      'INVALID_OPTIONS',
      `Cannot log in at ${connection.address}: ${mechanism} wants a user, and there is none, give auth.user, or set sasl to OAUTHBEARER for a token`,
      undefined,
      { scope: 'link' },
    )
  }
  const { saslHandshakeV1: handshake } = driver
  const answer = await connection.request(handshake, [mechanism], { rigid: true, rigidAnswer: true })
  if (answer.errorCode !== 0) throw refusedHandshake(driver, connection, mechanism, answer)
  const say = async (text: string): Promise<string> => {
    const { errorCode, errorMessage, authBytes } = await connection.request(driver.saslAuthenticateV2, [
      Buffer.from(text),
    ])
    if (errorCode === 0) return authBytes.toString()
    const name = errorName(driver, errorCode)
    throw kafkaError({ name, what: `log in at ${connection.address}`, scope: 'link', text: errorMessage })
  }
  const password = auth.password ?? ''
  if (mechanism === 'PLAIN') await say(`\0${auth.user}\0${password}`)
  else if (mechanism === 'OAUTHBEARER') await bearer(say, connection.address, password)
  else await scram(say, connection.address, SCRAM_HASHES[mechanism], auth.user, password)
}

/**
 * Asks a listener which mechanisms it offers; `undefined` where it wants no password at all, or does not say.
 */
export async function offeredMechanisms(
  driver: Driver,
  connection: BrokerConnection,
): Promise<readonly string[] | undefined> {
  const { errorCode, mechanisms } = await connection.request(driver.saslHandshakeV1, ['BACKHAUL-ASKS'], {
    rigid: true,
    rigidAnswer: true,
  })
  return errorName(driver, errorCode) === 'UNSUPPORTED_SASL_MECHANISM' ? mechanisms : undefined
}

function refusedHandshake(
  driver: Driver,
  { address }: BrokerConnection,
  mechanism: SaslMechanism,
  { errorCode, mechanisms }: { readonly errorCode: number; readonly mechanisms: readonly string[] },
): BackhaulError {
  const name = errorName(driver, errorCode)
  if (name !== 'UNSUPPORTED_SASL_MECHANISM') {
    return kafkaError({ name, what: `log in at ${address}`, scope: 'link' })
  }
  return new BackhaulError(
    'BAD_CREDENTIALS',
    `Cannot log in at ${address}: the broker does not offer ${mechanism}, set sasl to one of ${mechanisms.join(', ')}`,
    undefined,
    { scope: 'link', brokerReason: name },
  )
}

type Say = (text: string) => Promise<string>

async function bearer(say: Say, address: string, token: string): Promise<void> {
  const answer = await say(`n,,\u0001auth=Bearer ${token}\u0001\u0001`)
  if (answer === '') return
  // a refusal comes as JSON, which the client confirms with one byte
  await say('\u0001').catch(() => undefined)
  throw new BackhaulError(
    'BAD_CREDENTIALS',
    `Cannot log in at ${address}: the broker refused the token, get a new one`,
    undefined,
    { scope: 'link', brokerReason: 'SASL_AUTHENTICATION_FAILED' },
  )
}

async function scram(
  say: Say,
  address: string,
  hash: 'sha256' | 'sha512',
  user: string,
  password: string,
): Promise<void> {
  const hmac = (key: Buffer, text: string) => createHmac(hash, key).update(text).digest()
  const nonce = randomBytes(18).toString('base64')
  const name = user.replaceAll('=', '=3D').replaceAll(',', '=2C')
  const first = `n=${name},r=${nonce}`
  const challenge = await say(`n,,${first}`)
  const { r: serverNonce = '', s: salt = '', i: rounds = '' } = attributes(challenge)
  const count = Number(rounds)
  if (!serverNonce.startsWith(nonce) || salt === '' || !(count >= SCRAM_ROUNDS.least)) {
    throw violation(address, 'a SCRAM challenge that is not sound')
  }
  if (count > SCRAM_ROUNDS.most) throw violation(address, 'a SCRAM challenge that asks for too much work')
  const length = hash === 'sha256' ? 32 : 64
  const salted = await derive(password, Buffer.from(salt, 'base64'), count, length, hash)
  const clientKey = hmac(salted, 'Client Key')
  const storedKey = createHash(hash).update(clientKey).digest()
  const withoutProof = `c=biws,r=${serverNonce}`
  const everything = `${first},${challenge},${withoutProof}`
  const signature = hmac(storedKey, everything)
  const proof = Buffer.from(clientKey.map((byte, index) => byte ^ (signature[index] ?? 0)))
  const final = attributes(await say(`${withoutProof},p=${proof.toString('base64')}`))
  const theirs = Buffer.from(final['v'] ?? '', 'base64')
  const ours = hmac(hmac(salted, 'Server Key'), everything)
  if (theirs.length !== ours.length || !timingSafeEqual(theirs, ours)) {
    throw new BackhaulError(
      'BAD_CREDENTIALS',
      `Cannot log in at ${address}: it does not know the password that it should, check that it is the right broker`,
      undefined,
      { scope: 'link' },
    )
  }
}

/** `a=1,b=2`; a value may hold `=`. */
function attributes(text: string): Readonly<Record<string, string>> {
  const pairs = text.split(',').map((part): [string, string] => [part.slice(0, 1), part.slice(2)])
  return Object.fromEntries(pairs)
}
