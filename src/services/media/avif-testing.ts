/** An AVIF that moves, as encoders write it: a still of how it begins, and a track of pictures (AV1 Image File Format, 3). Chromium shows its frames. */
import sharp from 'sharp'

const EDGE = 64
const FRAME_MS = 100

/** One frame for each colour; without a still there is the track alone, as in a film. */
export async function movingAvif(colours: string[], { still = true } = {}): Promise<Buffer> {
  const frames = await Promise.all(colours.map(filled))
  const first = frames[0] as Buffer
  const kind = Buffer.from(boxIn(first, 'ftyp'))
  kind.write('avis', 8, 'latin1') // the major brand
  kind.write('avis', kind.length - 4, 'latin1') // and one of those it is compatible with
  const head = still ? Buffer.concat([kind, first.subarray(kind.length)]) : kind
  const samples = frames.map((frame) => boxIn(frame, 'mdat').subarray(8))
  const configuration = boxAt(first, first.indexOf('av1C') - 4)
  return Buffer.concat([head, box('mdat', ...samples), movie(samples, head.length + 8, configuration)])
}

const filled = (background: string) =>
  sharp({ create: { width: EDGE, height: EDGE, channels: 3, background } })
    .avif()
    .toBuffer()

/** What plays the samples, which stand one after the other from `offset`. */
function movie(samples: Buffer[], offset: number, configuration: Buffer): Buffer {
  const duration = samples.length * FRAME_MS
  const sizes = samples.map(({ length }) => length)
  const offsets = sizes.map((_, n) => sizes.slice(0, n).reduce((sum, size) => sum + size, offset))
  const unity = longs(0x1_0000, 0, 0, 0, 0x1_0000, 0, 0, 0, 0x4000_0000)
  const picture = box(
    'av01',
    Buffer.alloc(6),
    shorts(1),
    Buffer.alloc(16),
    shorts(EDGE, EDGE),
    longs(0x48_0000, 0x48_0000, 0),
    shorts(1),
    Buffer.alloc(32),
    shorts(24, 0xffff),
    configuration,
  )
  const table = box(
    'stbl',
    box('stsd', longs(0, 1), picture),
    box('stts', longs(0, 1, samples.length, FRAME_MS)),
    box('stsc', longs(0, 1, 1, 1, 1)),
    box('stsz', longs(0, 0, samples.length, ...sizes)),
    box('stco', longs(0, samples.length, ...offsets)),
  )
  const here = box('dinf', box('dref', longs(0, 1), box('url ', longs(1))))
  const media = box(
    'mdia',
    box('mdhd', longs(0, 0, 0, 1_000, duration), shorts(0x55c4, 0)),
    box('hdlr', longs(0, 0), Buffer.from('pict'), longs(0, 0, 0), Buffer.alloc(1)),
    box('minf', box('vmhd', longs(1, 0, 0)), here, table),
  )
  const edges = longs(EDGE << 16, EDGE << 16)
  const track = box('tkhd', longs(3, 0, 0, 1, 0, duration, 0, 0), shorts(0, 0, 0, 0), unity, edges)
  const times = longs(0, 0, 0, 1_000, duration, 0x1_0000)
  const header = box('mvhd', times, shorts(0x100, 0), longs(0, 0), unity, longs(0, 0, 0, 0, 0, 0, 2))
  return box('moov', header, box('trak', track, media))
}

function box(type: string, ...parts: Buffer[]): Buffer {
  const body = Buffer.concat(parts)
  return Buffer.concat([longs(body.length + 8), Buffer.from(type, 'latin1'), body])
}

const boxAt = (file: Buffer, at: number) => file.subarray(at, at + file.readUInt32BE(at))

function boxIn(file: Buffer, type: string): Buffer {
  for (let at = 0; at < file.length; at += file.readUInt32BE(at))
    if (file.toString('latin1', at + 4, at + 8) === type) return boxAt(file, at)
  throw new Error(`there is no ${type} in it`)
}

function longs(...values: number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length)
  for (const [n, value] of values.entries()) bytes.writeUInt32BE(value, 4 * n)
  return bytes
}

function shorts(...values: number[]): Buffer {
  const bytes = Buffer.alloc(2 * values.length)
  for (const [n, value] of values.entries()) bytes.writeUInt16BE(value, 2 * n)
  return bytes
}
