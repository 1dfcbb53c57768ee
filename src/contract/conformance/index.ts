export { conformance } from './conformance.ts'
export type {
  Deadlines,
  Faults,
  ForbiddenTopics,
  Harness,
  Mode,
  PatternSample,
  Promises,
  RunContext,
  Runner,
} from './harness.ts'
