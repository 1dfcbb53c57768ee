import { spawnSync } from 'node:child_process'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'

/*
 * The driver librdkafka is native, so it is built once for each version of Node.js, outside the clone: in the user's cache folder, whole
 * or not at all. test/native/package.json names it. It is linked with Debian's own libraries (CKJS_LINKING=dynamic): the other way
 * fetches their sources.
 */

const MANIFEST = fileURLToPath(new URL('../../../test/native/package.json', import.meta.url))
const NAME = '@confluentinc/kafka-javascript'
/** What building needs beside a compiler: a header that shows that it is there, and Debian's package. */
const HEADERS: Readonly<Record<string, string>> = {
  'openssl/ssl.h': 'libssl-dev',
  'sasl/sasl.h': 'libsasl2-dev',
  'zlib.h': 'zlib1g-dev',
  'zstd.h': 'libzstd-dev',
  'lz4.h': 'liblz4-dev',
  'curl/curl.h': 'libcurl4-openssl-dev',
}

/** It is experimental: `npm run test:librdkafka` says that it is wanted. */
const isWanted = () => process.env['LIBRDKAFKA'] === 'on'

/** The folder of the driver that is built for this version of Node.js. */
export function librdkafkaFolder(): string {
  const manifest: { readonly dependencies: Readonly<Record<string, string>> } = JSON.parse(
    readFileSync(MANIFEST, 'utf8'),
  )
  const version = manifest.dependencies[NAME] ?? ''
  return join(homedir(), '.cache', 'backhaul', `native-${version}-${process.versions.modules}`)
}

/** For `describe(name, { skip: withoutLibrdkafka() }, ...)`. With `BROKERS=required` it throws in place of a reason to skip. */
export function withoutLibrdkafka(): string | false {
  if (!isWanted()) return 'the librdkafka driver is tested by npm run test:librdkafka'
  if (isBuilt(librdkafkaFolder())) return false
  const reason = 'librdkafka is not built for this Node.js: run node build/scripts/setup-brokers.js'
  if (process.env['BROKERS'] === 'required') throw new Error(`Cannot test with BROKERS=required: ${reason}`)
  return reason
}

/** Debian's packages that building lacks; none where it is built. */
export function missingForLibrdkafka(): string[] {
  if (!isWanted() || isBuilt(librdkafkaFolder())) return []
  const roots = [
    '/usr/include',
    '/usr/local/include',
    ...readdirSync('/usr/include', { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && entry.name.includes('-linux-'))
      .map((entry) => join('/usr/include', entry.name)),
  ]
  return Object.entries(HEADERS)
    .filter(([header]) => !roots.some((root) => existsSync(join(root, header))))
    .map(([, name]) => name)
}

/** Builds the driver where that has not been done. Gives what went wrong, or `undefined`. */
export function buildLibrdkafka(say: (line: string) => void): string | undefined {
  const folder = librdkafkaFolder()
  if (!isWanted() || isBuilt(folder)) return undefined
  say(`Building ${NAME} for Node.js ${process.version}`)
  mkdirSync(dirname(folder), { recursive: true })
  const place = mkdtempSync(`${folder}-`)
  try {
    copyFileSync(MANIFEST, join(place, 'package.json'))
    // headers of Node.js lie beside it, where they are at all
    const root = dirname(dirname(process.execPath))
    const hasHeaders = existsSync(join(root, 'include', 'node', 'node.h'))
    const { status, stdout, stderr } = spawnSync('npm', ['install', '--no-package-lock', '--no-audit'], {
      cwd: place,
      encoding: 'utf8',
      env: {
        ...process.env,
        CKJS_LINKING: 'dynamic',
        JOBS: 'max',
        ...(hasHeaders && { npm_config_nodedir: root }),
      },
    })
    if (status !== 0 || !isBuilt(place)) {
      return `Cannot build ${NAME}: npm install ended with ${status}\n${stdout}${stderr}`
    }
    prune(join(place, 'node_modules', NAME))
    // another run may have been faster
    if (!isBuilt(folder)) renameSync(place, folder)
    return undefined
  } finally {
    rmSync(place, { recursive: true, force: true })
  }
}

function isBuilt(folder: string): boolean {
  return existsSync(join(folder, 'node_modules', NAME, 'build', 'Release', 'confluent-kafka-javascript.node'))
}

/** Removes sources and static libraries: 270 of 290 MB. */
function prune(root: string): void {
  rmSync(join(root, 'deps'), { recursive: true, force: true })
  rmSync(join(root, 'build', 'Release', 'obj.target'), { recursive: true, force: true })
  const built = join(root, 'build', 'deps')
  for (const name of readdirSync(built)) if (name.endsWith('.a')) rmSync(join(built, name))
}
