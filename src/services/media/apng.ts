/**
 * PNGs that move (PNG, third edition, §4.9): the image library reads their first picture alone, so the pictures are taken apart here, drawn by it one
 * by one, and laid over each other as they say. Runs in the workshop's process, never in the shop's.
 */
import { crc32 } from 'node:zlib'
import sharp from 'sharp'
import { GiveUp } from '../../engine/verdict.ts'

interface Frame {
  x: number
  y: number
  width: number
  height: number
  ms: number
  /** What becomes of its place before the next: 0 stays, 1 is cleared, 2 is as before it. */
  dispose: number
  /** 0 takes the place of what is there, 1 lies over it. */
  blend: number
  /** Its pixels as they stand in the file, compressed. */
  data: Buffer[]
}

export interface Apng {
  width: number
  height: number
  /** 0: for ever. */
  loops: number
  frames: Frame[]
  /** What all pictures share: palette, transparency, colours; as chunks of the file. */
  shared: Buffer[]
  ihdr: Buffer
}

const SIGNATURE = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1')

/** Chunks that say how pixels are to be read. */
const ofEach: ReadonlySet<string> = new Set(['PLTE', 'tRNS', 'gAMA', 'cHRM', 'sRGB', 'iCCP', 'sBIT', 'cICP'])

interface Chunk {
  type: string
  data: Buffer
  whole: Buffer
}

function* chunksOf(png: Buffer): Generator<Chunk> {
  for (let at = SIGNATURE.length; at + 12 <= png.length; ) {
    const end = at + 12 + png.readUInt32BE(at)
    if (end > png.length) return
    yield {
      type: png.toString('latin1', at + 4, at + 8),
      data: png.subarray(at + 8, end - 4),
      whole: png.subarray(at, end),
    }
    at = end
  }
}

/** Undefined for a PNG that does not move, and for one whose pictures are not in order: viewers show its first one alone. */
export function readApng(png: Buffer): Apng | undefined {
  let ihdr: Buffer | undefined
  let told: { frames: number; loops: number } | undefined
  const shared: Buffer[] = []
  const frames: Frame[] = []
  let begun = false
  let sequence = 0
  for (const { type, data, whole } of chunksOf(png)) {
    if (type === 'IHDR' && data.length === 13) ihdr = data
    else if (type === 'acTL' && data.length === 8 && !begun)
      told = { frames: data.readUInt32BE(0), loops: data.readUInt32BE(4) }
    else if (type === 'fcTL') {
      if (data.length !== 26 || data.readUInt32BE(0) !== sequence++) return undefined
      frames.push(frameOf(data))
    } else if (type === 'IDAT') {
      if (!told) return undefined // before its pictures
      begun = true
      frames[0]?.data.push(data) // without a frame before it, it is for viewers that know no movement
    } else if (type === 'fdAT') {
      if (data.length < 4 || data.readUInt32BE(0) !== sequence++) return undefined
      frames.at(-1)?.data.push(data.subarray(4))
    } else if (!begun && ofEach.has(type)) shared.push(whole)
  }
  if (!ihdr || !told || told.frames < 2 || frames.length !== told.frames) return undefined
  const [width, height] = [ihdr.readUInt32BE(0), ihdr.readUInt32BE(4)]
  const inside = (f: Frame) => f.width > 0 && f.height > 0 && f.x + f.width <= width && f.y + f.height <= height
  if (!frames.every((frame) => inside(frame) && frame.data.length > 0)) return undefined
  return { width, height, loops: told.loops, frames, shared, ihdr }
}

function frameOf(data: Buffer): Frame {
  const [width, height, x, y] = [
    data.readUInt32BE(4),
    data.readUInt32BE(8),
    data.readUInt32BE(12),
    data.readUInt32BE(16),
  ]
  const ms = Math.round((data.readUInt16BE(20) * 1_000) / (data.readUInt16BE(22) || 100))
  return { x, y, width, height, ms, dispose: data.readUInt8(24), blend: data.readUInt8(25), data: [] }
}

/** All its pictures as they are seen, each a PNG: their bare pixels would be what they all are in memory. Throws GiveUp for one that can't be read. */
export async function draw(apng: Apng): Promise<Buffer[]> {
  const { width, height, frames } = apng
  const seen: Buffer[] = []
  const canvas = Buffer.alloc(width * height * 4)
  for (const frame of frames) {
    const pixels = await pixelsOf(apng, frame)
    const before = frame.dispose === 2 ? Buffer.from(canvas) : undefined
    lay(canvas, width, frame, pixels)
    seen.push(
      await sharp(canvas, { raw: { width, height, channels: 4 } })
        .png({ compressionLevel: 1 })
        .toBuffer(),
    )
    if (before) before.copy(canvas)
    if (frame.dispose === 1) lay(canvas, width, { ...frame, blend: 0 }, Buffer.alloc(pixels.length))
  }
  return seen
}

/** A picture alone is a PNG of its own. */
async function pixelsOf({ ihdr, shared }: Apng, { width, height, data }: Frame): Promise<Buffer> {
  const header = Buffer.from(ihdr)
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  const pieces = [
    SIGNATURE,
    chunk('IHDR', header),
    ...shared,
    chunk('IDAT', Buffer.concat(data)),
    chunk('IEND', Buffer.alloc(0)),
  ]
  const { data: pixels, info } = await sharp(Buffer.concat(pieces), {
    failOn: 'error',
    limitInputPixels: width * height,
  })
    .toColourspace('srgb')
    .ensureAlpha()
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true })
    .catch(() => {
      throw new GiveUp('it is broken: a picture of its animation can not be read')
    })
  if (info.channels !== 4) throw new GiveUp(`it is broken: a picture of its animation has ${info.channels} channels`)
  return pixels
}

function chunk(type: string, data: Buffer): Buffer {
  const piece = Buffer.alloc(data.length + 12)
  piece.writeUInt32BE(data.length, 0)
  piece.write(type, 4, 'latin1')
  data.copy(piece, 8)
  piece.writeUInt32BE(crc32(piece.subarray(4, -4)), piece.length - 4)
  return piece
}

function lay(canvas: Buffer, width: number, { x, y, width: w, height: h, blend }: Frame, pixels: Buffer): void {
  for (let row = 0; row < h; row++) {
    const to = ((y + row) * width + x) * 4
    if (blend === 0) pixels.copy(canvas, to, row * w * 4, (row + 1) * w * 4)
    else over(canvas.subarray(to, to + w * 4), pixels.subarray(row * w * 4, (row + 1) * w * 4))
  }
}

/** Porter and Duff's over, of colours that are not multiplied by their alpha. */
function over(below: Buffer, above: Buffer): void {
  for (let i = 0; i < above.length; i += 4) {
    const a = above[i + 3] as number
    if (a === 0) continue
    const b = below[i + 3] as number
    if (a === 255 || b === 0) {
      above.copy(below, i, i, i + 4)
      continue
    }
    const shown = b * (255 - a)
    const alpha = a * 255 + shown
    for (let c = i; c < i + 3; c++)
      below[c] = Math.round(((above[c] as number) * a * 255 + (below[c] as number) * shown) / alpha)
    below[i + 3] = Math.round(alpha / 255)
  }
}
