/**
 * What an image is made into: named sizes, each as AVIF, WebP and JPEG; of one that moves (GIF, WebP, PNG) the WebP moves, and the others are stills of how
 * it begins. An AVIF that moves is read as a still: the image library knows its first picture alone.
 * Runs in the workshop's process, never in the shop's.
 */
import { open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import sharp, { type Sharp } from 'sharp'
import { GiveUp } from '../../engine/verdict.ts'
import { type Apng, draw, readApng } from './apng.ts'
import type { Limits } from './content.ts'
import type { Asset, Rendition } from './events.ts'
import { type Format, fileOf, formats, sizes } from './recipe.ts'

const encode: Record<Format, (image: Sharp) => Sharp> = {
  // Effort 4, the default, takes sixteen times as long as 2 for a large image (2.3 s against 0.14 s) and saves 5 % of the bytes.
  avif: (image) => image.avif({ quality: 50, effort: 2 }),
  webp: (image) => image.webp({ quality: 78 }),
  jpeg: (image) => image.flatten({ background: '#fff' }).jpeg({ quality: 80 }),
}

/** All pictures of 40 MP together at effort 2 take 5 s and 80 MB, at the default 4 they take 13 s and are 2 % smaller. */
const encodeMoving = (image: Sharp, times: { delay?: number[]; loop?: number } = {}) =>
  image.webp({ quality: 78, effort: 2, ...times })

/** A step of the work that takes longer is broken off; the workshop has its own, longer patience. */
const SECONDS = 30

export interface MadeImage {
  contentType: string
  width: number
  height: number
  animation?: NonNullable<Asset['animation']>
  /** The smallest first. */
  renditions: Omit<Rendition, 'url'>[]
}

/** Keeps this process to what it is for: readers of five formats and nothing else, one thread, no cache of images that don't come back. */
export function confineSharp(): void {
  sharp.concurrency(1)
  sharp.cache(false)
  sharp.block({ operation: ['VipsForeignLoad'] })
  const readers = ['JpegFile', 'PngFile', 'PngBuffer', 'WebpFile', 'NsgifFile', 'HeifFile', 'HeifBuffer']
  sharp.unblock({ operation: readers.map((reader) => `VipsForeignLoad${reader}`) })
}

/** Writes `<size>.<extension>` into the folder. Throws GiveUp for an image that is broken or too much. Never enlarges: a size it has no pixels for is left out. */
export async function makeRenditions(file: string, folder: string, limits: Limits): Promise<MadeImage> {
  const source = await readable(file)
  const { contentType, animation, apng, ...whole } = await look(file, source, limits)
  const moving = animation && (apng ? await drawnMoving(apng) : fileMoving(file, animation.frames, limits))
  const made: MadeImage['renditions'] = []
  const careful = { failOn: 'error', limitInputPixels: limits.pixelsMax } as const
  let from: Sharp = sharp(source, { ...careful, autoOrient: true })
  const longest = Math.max(whole.width, whole.height)
  for (const [name, edge] of sizes.filter(([, edge], n) => edge < longest || (sizes[n + 1]?.[1] ?? 0) < longest)) {
    // Each size from the one before: what is read from the file is read once.
    const scale = Math.min(1, edge / longest)
    const size = {
      width: Math.max(1, Math.round(whole.width * scale)),
      height: Math.max(1, Math.round(whole.height * scale)),
    }
    const { data, info } = await from
      .resize({ ...size, fit: 'fill' })
      .toColourspace('srgb')
      .timeout({ seconds: SECONDS })
      .raw()
      .toBuffer({ resolveWithObject: true })
      .catch(broken)
    from = sharp(data, { raw: { ...size, channels: info.channels } })
    const bytes = { avif: 0, webp: 0, jpeg: 0 }
    for (const format of formats) {
      const drawn = moving && format === 'webp' ? moving(size) : encode[format](from.clone())
      const written = await drawn
        .timeout({ seconds: SECONDS })
        .toFile(join(folder, fileOf(name, format)))
        .catch(broken)
      bytes[format] = written.size
    }
    made.unshift({ name, ...size, bytes })
  }
  return { contentType, ...whole, ...(animation && { animation }), renditions: made }
}

/** Pictures of a PNG are in memory together, while others are read one by one: so many times fewer pixels are taken over all of them. */
const DRAWN_COST = 2

type Moving = (size: { width: number; height: number }) => Sharp

/** Read anew for each size, picture by picture: all of them in memory at once would be what the limit is there to prevent. */
function fileMoving(file: string, pages: number, { pixelsMax }: Limits): Moving {
  return (size) =>
    encodeMoving(sharp(file, { failOn: 'error', limitInputPixels: pixelsMax, pages }).resize({ ...size, fit: 'fill' }))
}

async function drawnMoving(apng: Apng): Promise<Moving> {
  const { delay, loop } = timesOf(apng)
  const pictures = await draw(apng)
  return (size) =>
    encodeMoving(sharp(pictures, { join: { animated: true }, animated: true }).resize({ ...size, fit: 'fill' }), {
      delay,
      loop,
    })
}

/**
 * The image library refuses an AVIF that says first of all that it moves, as those of avifenc and ffmpeg do; called a still it is read like any other
 * (libvips 8.18; https://github.com/libvips/libvips/issues/3629).
 */
async function readable(file: string): Promise<string | Buffer> {
  const handle = await open(file)
  const { buffer } = await handle.read(Buffer.alloc(12), 0, 12, 0).finally(() => handle.close())
  if (buffer.toString('latin1', 4, 12) !== 'ftypavis') return file
  const content = await readFile(file)
  content.write('avif', 8, 'latin1')
  return content
}

/** By the header alone, before a pixel is decoded. Width and height as it is seen, turned by its orientation. */
async function look(file: string, source: string | Buffer, { pixelsMax, framesMax }: Limits) {
  const seen = await sharp(source, { limitInputPixels: false }).metadata().catch(broken)
  const { format, width, height, orientation = 1, autoOrient } = seen
  if (width * height > pixelsMax)
    throw new GiveUp(`it has ${width} × ${height} pixels, ${Math.floor(pixelsMax / 1e6)} million are the most`)
  const apng = format === 'png' ? readApng(await readFile(file)) : undefined
  const { pages = 1, delay = [], loop = 0 } = apng ? timesOf(apng) : seen
  if (pages > framesMax) throw new GiveUp(`it has ${pages} frames, ${framesMax} are the most`)
  const contentType = `image/${format === 'heif' ? 'avif' : format}`
  const of = { contentType, width: autoOrient.width, height: autoOrient.height, animation: undefined, apng: undefined }
  // Of too many pixels in all, or lying on its side, which sharp turns one picture of: a still.
  if (pages === 1 || width * height * pages > (apng ? pixelsMax / DRAWN_COST : pixelsMax) || orientation !== 1)
    return of
  const durationMs = delay.reduce((total, ms) => total + Math.max(0, ms), 0)
  return { ...of, apng, animation: { frames: pages, durationMs, loops: loop } }
}

const timesOf = ({ frames, loops }: Apng) => ({ pages: frames.length, delay: frames.map(({ ms }) => ms), loop: loops })

function broken(error: Error): never {
  const said = error.message.split('\n').at(-1)?.trim() ?? ''
  if (/timeout/i.test(said)) throw new Error(`it takes longer than ${SECONDS} s to read`)
  throw new GiveUp(`it is broken: ${said.slice(0, 200)}`)
}
