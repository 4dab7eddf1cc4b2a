/** A file of somebody else: what encoding and format it is in, and its text in pieces of constant size. */
import { isUtf8 } from 'node:buffer'
import { open, stat } from 'node:fs/promises'

/** The whole file (or the map that came with it) can't be taken, and nothing was. The message says why and what to do. */
export class ImportRefused extends Error {
  override name = 'ImportRefused'
}

export type Format = 'csv' | 'json' | 'ndjson'
export type Encoding = 'utf-8' | 'utf-16le' | 'utf-16be' | 'windows-1252'

export interface TextFile {
  path: string
  bytes: number
  encoding: Encoding
  /** Meant as UTF-8, but with bytes that are none: they read as U+FFFD, and records that have one are refused. */
  damaged: boolean
  endsInNewline: boolean
  /** The first characters, without a byte order mark. */
  head: string
}

const pieceBytes = 256 * 1024

/** Looks through the whole file once, for its encoding shows only in full. Throws `ImportRefused` for what is no text. */
export async function inspect(path: string): Promise<TextFile> {
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
    throw new ImportRefused(
      error.code === 'ENOENT' ? `there is no file ${path}` : `cannot open ${path}: ${error.message}`,
    )
  })
  if (!found.isFile()) throw new ImportRefused(`${path} is no file`)
  if (found.size === 0) throw new ImportRefused(`${path} is empty`)
  let first: Buffer | undefined
  let last = 0
  let rest: Buffer = Buffer.alloc(0)
  const seen = { letters: 0, broken: 0 }
  for await (const piece of pieces(path)) {
    first ??= piece.subarray(0, 64 * 1024)
    last = piece.at(-1) ?? last
    const whole = rest.length > 0 ? Buffer.concat([rest, piece]) : piece
    const end = wholeCharacters(whole)
    rest = Buffer.from(whole.subarray(end))
    tally(whole.subarray(0, end), seen)
  }
  tally(rest, seen)
  const head = first ?? Buffer.alloc(0)
  const encoding = markedEncoding(head) ?? (seen.broken > seen.letters ? 'windows-1252' : 'utf-8')
  refuseBinary(path, head, encoding)
  return {
    path,
    bytes: found.size,
    encoding,
    damaged: encoding === 'utf-8' && seen.broken > 0,
    endsInNewline: last === 10 || last === 13,
    head: new TextDecoder(encoding).decode(head, { stream: true }),
  }
}

/** The file as UTF-8 text without byte order mark; `read` hears of the bytes. */
export async function* textOf(file: TextFile, read: (bytes: number) => void): AsyncGenerator<string> {
  const decoder = new TextDecoder(file.encoding)
  for await (const piece of pieces(file.path)) {
    read(piece.length)
    yield decoder.decode(piece, { stream: true })
  }
  yield decoder.decode()
}

async function* pieces(path: string): AsyncGenerator<Buffer> {
  const file = await open(path)
  try {
    for (;;) {
      const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(pieceBytes), 0, pieceBytes, null)
      if (bytesRead === 0) return
      yield buffer.subarray(0, bytesRead)
    }
  } finally {
    await file.close()
  }
}

/** Where the last whole UTF-8 character ends. */
function wholeCharacters(bytes: Buffer): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back] ?? 0
    if (byte < 0x80) break
    if (byte >= 0xc0) return back < (byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2) ? bytes.length - back : bytes.length
  }
  return bytes.length
}

function tally(bytes: Buffer, seen: { letters: number; broken: number }): void {
  if (isUtf8(bytes) && seen.broken === 0 && seen.letters > 0) return
  for (const [letter] of bytes.toString('utf8').matchAll(/[^\0-\x7f]/gu)) {
    if (letter === '\ufffd') seen.broken++
    else seen.letters++
  }
}

function markedEncoding(head: Buffer): Encoding | undefined {
  if (head[0] === 0xff && head[1] === 0xfe) return 'utf-16le'
  if (head[0] === 0xfe && head[1] === 0xff) return 'utf-16be'
  return undefined
}

function refuseBinary(path: string, head: Buffer, encoding: Encoding): void {
  const magic = head.toString('latin1', 0, 4)
  if (magic.startsWith('PK\x03\x04'))
    throw new ImportRefused(`${path} is a spreadsheet or zip archive: save it as CSV (UTF-8) first`)
  if (magic.startsWith('\x1f\x8b')) throw new ImportRefused(`${path} is compressed: unpack it first (gunzip)`)
  if (encoding === 'utf-8' || encoding === 'windows-1252') {
    const nul = head.indexOf(0)
    if (nul >= 0) throw new ImportRefused(`${path} is no text: byte ${nul} is NUL`)
  }
}

/** The format by the first character of the file, which knows better than its name. */
export function formatOf(file: TextFile): Format {
  const text = file.head.trimStart()
  if (text.startsWith('[')) return 'json'
  if (!text.startsWith('{')) return 'csv'
  return /^\{\s*"[^"]*"\s*:\s*\[\s*\{/.test(text) && !/^\{.*\}\s*?\n\s*\{/.test(text) ? 'json' : 'ndjson'
}
