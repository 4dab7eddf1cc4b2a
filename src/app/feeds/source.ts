/** A feed's content on this machine: a file, what an address answers, or what was uploaded, copied to a file of its own within limits. */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { type FileHandle, mkdtemp, open, realpath, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, sep } from 'node:path'
import { pipeline, type Readable } from 'node:stream'
import { createBrotliDecompress, createGunzip } from 'node:zlib'
import type { Sql } from '../../engine/database.ts'
import { requestTo } from '../../services/media/request.ts'
import type { Feed } from './definition.ts'

/** The content can't be had. The message says why. */
export class SourceFailed extends Error {
  override name = 'SourceFailed'
}

export interface SourceLimits {
  /** Files are taken from below it alone; without one none are. */
  directory: string | undefined
  bytesMax: number
  secondsMax: number
}

/** What the last content was known by. */
export interface Validators {
  etag: string | null
  lastModified: string | null
  sha256: string | null
}

export type Content =
  | { unchanged: true }
  | { unchanged: false; path: string; bytes: number; validators: Validators; [Symbol.asyncDispose](): Promise<void> }

interface Stream {
  bytes: AsyncIterable<Uint8Array>
  etag?: string | null
  lastModified?: string | null
}

const redirectsMax = 5

/** Copies the content, or finds that it is the known one. Throws SourceFailed; whoever gets a file disposes of it. */
export async function fetchContent(
  source: NonNullable<Feed['source']> | { upload: AsyncIterable<Uint8Array> },
  limits: SourceLimits,
  known: Validators | undefined,
  signal: AbortSignal,
): Promise<Content> {
  const late = AbortSignal.timeout(limits.secondsMax * 1_000)
  const stop = AbortSignal.any([signal, late])
  try {
    const stream = await streamOf(source, limits, known, stop)
    if (!stream) return { unchanged: true }
    return await keep(stream, limits, known, stop)
  } catch (error) {
    if (late.aborted) throw new SourceFailed(`it took longer than ${limits.secondsMax} s`)
    if (signal.aborted || error instanceof SourceFailed || 'upload' in source) throw error
    throw new SourceFailed(whyOf(error as Error))
  }
}

/** Undefined when it says itself that it has not changed. */
async function streamOf(
  source: Parameters<typeof fetchContent>[0],
  limits: SourceLimits,
  known: Validators | undefined,
  signal: AbortSignal,
): Promise<Stream | undefined> {
  if ('upload' in source) return { bytes: source.upload }
  if ('url' in source) return ask(source, known, signal)
  const path = await inside(limits.directory, source.file)
  const { mtime } = await stat(path)
  return { bytes: createReadStream(path, { signal }), lastModified: mtime.toUTCString() }
}

/** The file's real path. Throws for one that is not below the directory, by a link either. */
async function inside(directory: string | undefined, file: string): Promise<string> {
  if (!directory) throw new SourceFailed('files are not taken here: set LOCKSTEP_FEEDS to the folder they are in')
  const [root, path] = await Promise.all([directory, join(directory, file)].map((each) => realpath(each))).catch(
    () => [],
  )
  if (!root || !path) throw new SourceFailed(`there is no file ${file} below LOCKSTEP_FEEDS`)
  if (!path.startsWith(root.endsWith(sep) ? root : root + sep))
    throw new SourceFailed(`${file} leads out of LOCKSTEP_FEEDS`)
  return path
}

/** A header given for one host is not told another. */
async function ask(
  { url, header }: Extract<NonNullable<Feed['source']>, { url: string }>,
  known: Validators | undefined,
  signal: AbortSignal,
): Promise<Stream | undefined> {
  const asked = new URL(url)
  let at = asked
  for (let redirects = 0; redirects <= redirectsMax; redirects++) {
    const headers: Record<string, string> = { 'accept-encoding': 'gzip, br' }
    if (header && at.origin === asked.origin) headers[header.name] = header.value
    if (known?.etag) headers['if-none-match'] = known.etag
    if (known?.lastModified) headers['if-modified-since'] = known.lastModified
    const response = await requestTo(at, { headers, privateHosts: true, signal })
    const { statusCode: status = 0 } = response
    const { etag = null, 'last-modified': lastModified = null, location } = response.headers
    if (status === 200) return { bytes: unpacked(response, response.headers['content-encoding']), etag, lastModified }
    response.destroy()
    if (status === 304 && known) return undefined
    if (status < 300 || status > 399 || !location) throw new SourceFailed(`${at.host} answered ${status}`)
    const next = URL.parse(location, at.href)
    if (!next || !/^https?:$/.test(next.protocol)) throw new SourceFailed(`${at.host} leads to no http(s) address`)
    at = next
  }
  throw new SourceFailed(`${asked.host} leads on and on`)
}

/** Limits are looked at behind it, so that little can not become much. */
function unpacked(bytes: Readable, encoding = 'identity'): Readable {
  const unpacking = { gzip: createGunzip, 'x-gzip': createGunzip, br: createBrotliDecompress }[encoding.toLowerCase()]
  return unpacking ? pipeline(bytes, unpacking(), () => {}) : bytes // the last of a pipeline fails with the first
}

async function keep(stream: Stream, limits: SourceLimits, known: Validators | undefined, signal: AbortSignal) {
  const folder = await mkdtemp(join(tmpdir(), 'lockstep-feed-'))
  const path = join(folder, 'content')
  const dispose = () => rm(folder, { recursive: true, force: true })
  let file: FileHandle | undefined
  try {
    file = await open(path, 'wx', 0o600)
    const hash = createHash('sha256')
    let bytes = 0
    for await (const piece of stream.bytes) {
      signal.throwIfAborted()
      bytes += piece.length
      if (bytes > limits.bytesMax) throw new SourceFailed(`it has more than ${limits.bytesMax} bytes`)
      hash.update(piece)
      await file.write(piece)
    }
    const sha256 = hash.digest('hex')
    if (sha256 === known?.sha256) {
      await dispose()
      return { unchanged: true as const }
    }
    const validators = { etag: stream.etag ?? null, lastModified: stream.lastModified ?? null, sha256 }
    return { unchanged: false as const, path, bytes, validators, [Symbol.asyncDispose]: dispose }
  } catch (error) {
    await dispose()
    throw error
  } finally {
    await file?.close()
  }
}

const whyOf = (error: Error) =>
  `it can't be had: ${(error.message || (error as NodeJS.ErrnoException).code || error.name).slice(0, 300)}`

const pieceBytes = 256 * 1024

/** Keeps an upload in the database, where any process can read it. Throws SourceFailed beyond the limit. */
export async function keepUpload(db: Sql, runId: number, bytes: AsyncIterable<Uint8Array>, bytesMax: number) {
  let total = 0
  let n = 0
  let held: Uint8Array[] = []
  let size = 0
  const flush = async () => {
    if (size === 0) return
    await db`insert into feeds.pieces (run_id, n, bytes) values (${runId}, ${n++}, ${Buffer.concat(held)})`
    held = []
    size = 0
  }
  for await (const piece of bytes) {
    total += piece.length
    if (total > bytesMax) throw new SourceFailed(`it has more than ${bytesMax} bytes`)
    held.push(piece)
    size += piece.length
    if (size >= pieceBytes) await flush()
  }
  await flush()
}

export async function* uploadOf(db: Sql, runId: number): AsyncGenerator<Uint8Array> {
  for (let n = 0; ; n++) {
    const [row] = await db<{ bytes: Buffer }>`select bytes from feeds.pieces where run_id = ${runId} and n = ${n}`
    if (!row) return
    yield row.bytes
  }
}
