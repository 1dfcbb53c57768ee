export {
  checkTopicFilter,
  checkTopicName,
  hasWildcard,
  matchesFilter,
  splitSharedFilter,
} from './topic-filter.ts'
