import { writeFileSync } from 'node:fs'

import { errorsPage } from './errors-page.ts'

// Writes the pages that are made from the code. A test fails when one is stale.
writeFileSync('docs/errors.md', errorsPage())
