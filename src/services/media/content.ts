/** What media are by their first bytes, and taking them in from a stream: counted, hashed, and refused as soon as they are too much. */
import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'
import { GiveUp } from '../../engine/verdict.ts'

export interface Limits {
  /** Bytes of an image and of a video. */
  imageBytesMax: number
  videoBytesMax: number
  /** Width × height of an image: what it takes in memory, however small its file. An animation with more over all its frames is made a still. */
  pixelsMax: number
  /** Pictures in an animated image; one with more is refused. */
  framesMax: number
}

export const usualLimits: Limits = {
  imageBytesMax: 20 * 1024 ** 2,
  videoBytesMax: 200 * 1024 ** 2,
  pixelsMax: 40_000_000, // PROOF, Hostile input: about 40 MP; sharp's own limit of 268 MP is a gigabyte
  framesMax: 200,
}

export interface Taken {
  /** SHA-256 of the content, in hex. */
  hash: string
  bytes: number
  kind: 'image' | 'video'
  contentType: string
}

/** More than is taken. */
export class TooLarge extends GiveUp {}

/** Enough to tell every kind by. */
const HEAD_BYTES = 512

/** Writes a stream into a new file. Throws GiveUp for what is no image or video we take, or too large; whatever the stream throws goes on. */
export async function takeIn(source: AsyncIterable<Buffer>, file: string, limits: Limits): Promise<Taken> {
  const hash = createHash('sha256')
  const handle = await open(file, 'wx')
  let head = Buffer.alloc(0)
  let bytes = 0
  let type: ContentType | undefined
  try {
    for await (const chunk of source) {
      hash.update(chunk)
      bytes += chunk.length
      if (head.length < HEAD_BYTES) head = Buffer.concat([head, chunk.subarray(0, HEAD_BYTES - head.length)])
      if (!type && head.length === HEAD_BYTES) type = contentTypeOf(head)
      refuseTooLarge(bytes, type, limits)
      await handle.write(chunk)
    }
    type ??= contentTypeOf(head)
    refuseTooLarge(bytes, type, limits)
  } finally {
    await handle.close()
  }
  return { hash: hash.digest('hex'), bytes, ...type }
}

/** Throws GiveUp; an image unless it is known to be a video. */
export function refuseTooLarge(bytes: number, type: Pick<ContentType, 'kind'> | undefined, limits: Limits): void {
  const most = type?.kind === 'video' ? limits.videoBytesMax : limits.imageBytesMax
  if (bytes > most)
    throw new TooLarge(
      `it is larger than ${mib(most)}, the most for ${type?.kind === 'video' ? 'a video' : 'an image'}`,
    )
}

const mib = (bytes: number) => (bytes < 1024 ** 2 ? `${bytes} bytes` : `${Math.round(bytes / 1024 ** 2)} MiB`)

export interface ContentType {
  kind: 'image' | 'video'
  contentType: string
}
const image = (subtype: string): ContentType => ({ kind: 'image', contentType: `image/${subtype}` })
const video = (subtype: string): ContentType => ({ kind: 'video', contentType: `video/${subtype}` })

/** By the bytes alone, whatever a name or a header says. Throws GiveUp that says what it is instead. */
export function contentTypeOf(head: Buffer): ContentType {
  const text = (from: number, to: number) => head.toString('latin1', from, to)
  if (head.length === 0) throw new GiveUp('it is empty')
  if (head[0] === 0xff && head[1] === 0xd8 && head[2] === 0xff) return image('jpeg')
  if (text(0, 8) === '\x89PNG\r\n\x1a\n') return image('png')
  if (text(0, 6) === 'GIF87a' || text(0, 6) === 'GIF89a') return image('gif')
  if (text(0, 4) === 'RIFF' && text(8, 12) === 'WEBP') return image('webp')
  if (text(4, 8) === 'ftyp') return ofBrand(text(8, 12))
  if (text(0, 4) === '\x1a\x45\xdf\xa3') return video(text(0, 64).includes('webm') ? 'webm' : 'x-matroska')
  if (text(0, 4) === 'OggS') return video('ogg')
  throw new GiveUp(`it is ${whatElse(head)}: JPEG, PNG, WebP, AVIF, GIF, MP4 and WebM are taken`)
}

function ofBrand(brand: string): ContentType {
  if (brand === 'avif' || brand === 'avis') return image('avif')
  if (/^(hei|hev|mif1|msf1)/.test(brand)) throw new GiveUp('it is an HEIC image: JPEG, PNG, WebP and AVIF are taken')
  return video(brand === 'qt  ' ? 'quicktime' : 'mp4')
}

function whatElse(head: Buffer): string {
  const text = head
    .toString('utf8')
    .replace(/^\ufeff/, '')
    .trimStart()
    .slice(0, 200)
  // A drawing may name other files, run scripts and grow without end: none is taken (PROOF, Hostile input).
  if (/<svg[\s>/]/i.test(text) || (/^<(\?xml|!DOCTYPE svg)/i.test(text) && /svg/i.test(head.toString('latin1'))))
    return 'an SVG drawing'
  if (/^<!DOCTYPE html|^<html/i.test(text)) return 'a web page'
  if (/^<\?xml/.test(text)) return 'an XML document'
  if (text.startsWith('%PDF')) return 'a PDF document'
  if (head.toString('latin1', 0, 2) === 'PK') return 'a ZIP archive'
  if (head.toString('latin1', 0, 2) === 'BM') return 'a BMP image'
  if (/^(II\*\0|MM\0\*)/.test(head.toString('latin1', 0, 4))) return 'a TIFF image'
  return 'no image or video'
}

/** Of a file that is here already. */
export async function contentOfFile(file: string, hash: string): Promise<Taken> {
  const handle = await open(file)
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0)
    const { size } = await handle.stat()
    return { hash, bytes: size, ...contentTypeOf(buffer.subarray(0, bytesRead)) }
  } finally {
    await handle.close()
  }
}
