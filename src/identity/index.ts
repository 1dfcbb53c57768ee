export type {
  Authority,
  AuthorityOptions,
  CertificateProfile,
  IssuedCertificate,
  IssueRequest,
  KeyType,
} from './authority.ts'
export { createAuthority } from './authority.ts'
