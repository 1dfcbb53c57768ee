import { readFileSync } from 'node:fs'

/** The version of this package, read from its package.json; `unknown` where that cannot be read. */
export function packageVersion(): string {
  // the compiled files lie two levels below the package when published, three when built for the tests
  for (const path of ['../../package.json', '../../../package.json']) {
    const version = versionAt(new URL(path, import.meta.url))
    if (version !== undefined) return version
  }
  return 'unknown'
}

function versionAt(url: URL): string | undefined {
  try {
    const content: unknown = JSON.parse(readFileSync(url, 'utf8'))
    if (typeof content !== 'object' || content === null || !('name' in content) || !('version' in content)) {
      return undefined
    }
    return content.name === 'backhaul' && typeof content.version === 'string' ? content.version : undefined
  } catch {
    return undefined
  }
}
