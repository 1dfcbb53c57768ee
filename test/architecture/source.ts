import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The project's root, found from the compiled test upward. */
export const projectRoot: string = findRoot(dirname(fileURLToPath(import.meta.url)))

/** A source file: its path below the root with forward slashes, and its text. */
export interface SourceFile {
  readonly path: string
  readonly text: string
}

/** Every TypeScript file below a folder of the project. */
export function sourceFiles(folder: string): SourceFile[] {
  return readdirSync(join(projectRoot, folder), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts') && !path.includes('node_modules'))
    .map((path) => ({
      path: join(folder, path).replaceAll('\\', '/'),
      text: readFileSync(join(projectRoot, folder, path), 'utf8'),
    }))
}

/** Every Markdown page of the project. */
export function markdownFiles(): string[] {
  return ['.', 'assets', 'docs', 'examples', 'src']
    .flatMap((folder) =>
      readdirSync(join(projectRoot, folder), { recursive: folder !== '.', encoding: 'utf8' }).map((path) =>
        join(folder, path),
      ),
    )
    .filter((path) => path.endsWith('.md'))
}

/** A file of the project as text. */
export function projectFile(path: string): string {
  return readFileSync(join(projectRoot, path), 'utf8')
}

function findRoot(folder: string): string {
  try {
    readFileSync(join(folder, 'package-lock.json'))
    return folder
  } catch {
    return findRoot(dirname(folder))
  }
}
