import { generateKeyPairSync, sign } from 'node:crypto'

/** What a token says. */
export interface TokenClaims {
  /** Who has it. */
  readonly subject: string
  /** Seconds until it ends; negative for one that has ended. @default 300 */
  readonly endsInSeconds?: number
  /** @default 'kafka' */
  readonly audience?: string
}

/** Signs tokens (JWT, RFC 7519), as an identity provider does. */
export interface TokenIssuer {
  /** Its public keys: a JSON Web Key Set. */
  readonly keys: string
  /** Makes a token. */
  token(claims: TokenClaims): string
}

/** Makes an issuer with a key of its own. */
export function createTokenIssuer(): TokenIssuer {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const key = { ...publicKey.export({ format: 'jwk' }), kid: 'test', alg: 'ES256', use: 'sig' }
  return {
    keys: JSON.stringify({ keys: [key] }),
    token({ subject, endsInSeconds = 300, audience = 'kafka' }) {
      const now = Math.floor(Date.now() / 1000)
      const claims = { sub: subject, aud: audience, iat: now - 600, exp: now + endsInSeconds, scope: 'kafka' }
      const head = `${encoded({ alg: 'ES256', typ: 'JWT', kid: 'test' })}.${encoded(claims)}`
      const signature = sign('sha256', Buffer.from(head), { key: privateKey, dsaEncoding: 'ieee-p1363' })
      return `${head}.${signature.toString('base64url')}`
    },
  }
}

function encoded(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}
