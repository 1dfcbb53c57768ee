import { mkdirSync, writeFileSync } from 'node:fs'

import { configPage } from './config-page.ts'
import { configSchemaText } from './config-schema.ts'
import { errorsPage } from './errors-page.ts'

// Writes the pages and files that are made from the code. A test fails when one is stale.
mkdirSync('assets', { recursive: true })
writeFileSync('assets/backhaul.schema.json', configSchemaText())
writeFileSync('docs/config.md', configPage())
writeFileSync('docs/errors.md', errorsPage())
