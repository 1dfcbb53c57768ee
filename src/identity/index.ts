export type {
  Authority,
  AuthorityOptions,
  CertificateProfile,
  IssuedCertificate,
  IssueRequest,
  KeyType,
  RevocationRequest,
} from './authority.ts'
export { createAuthority } from './create-authority.ts'
export type { CredentialsOptions } from './credentials.ts'
export { credentialsSource } from './credentials.ts'
