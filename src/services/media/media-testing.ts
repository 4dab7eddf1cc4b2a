/** For tests: real images and a video made on the spot, and a web server that misbehaves as asked. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { crc32, deflateSync } from 'node:zlib'
import sharp from 'sharp'

/** A photograph as far as an encoder can tell: no two seeds give the same. */
export function photo(width: number, height: number, seed = 1) {
  const background = { r: (seed * 53) % 256, g: (seed * 101) % 256, b: (seed * 197) % 256 }
  const stripe = Buffer.from(
    `<svg width="${width}" height="${height}"><circle cx="${(seed * 37) % width}" cy="${height / 2}" r="${height / 3}" fill="#fff8"/></svg>`,
  )
  return sharp({ create: { width, height, channels: 3, background } }).composite([{ input: stripe }])
}

/** An animation of so many different pictures, 40 ms each. */
export async function frames(count: number, width = 20, height = 20) {
  const pictures = await Promise.all(
    Array.from({ length: count }, (_, n) =>
      photo(width, height, n * 7 + 1)
        .png()
        .toBuffer(),
    ),
  )
  return sharp(pictures, { join: { animated: true } })
}

/** A WebP that shows one small picture over and over, put together by hand: its frames are many and its bytes few. WebP Container Specification. */
export async function webpOfFrames(count: number, edge: number): Promise<Buffer> {
  const still = await sharp({ create: { width: edge, height: edge, channels: 3, background: '#a40' } })
    .webp({ lossless: true })
    .toBuffer()
  const picture = still.subarray(12) // VP8L, the only chunk of a plain lossless file
  const chunk = (type: string, body: Buffer) => {
    const head = Buffer.alloc(8)
    head.write(type, 'latin1')
    head.writeUInt32LE(body.length, 4)
    return Buffer.concat([head, body, Buffer.alloc(body.length % 2)])
  }
  const size = Buffer.alloc(6)
  size.writeUIntLE(edge - 1, 0, 3)
  size.writeUIntLE(edge - 1, 3, 3)
  const frame = chunk('ANMF', Buffer.concat([Buffer.alloc(6), size, Buffer.from([40, 0, 0, 0]), picture]))
  const body = Buffer.concat([
    Buffer.from('WEBP'),
    chunk('VP8X', Buffer.concat([Buffer.from([2, 0, 0, 0]), size])),
    chunk('ANIM', Buffer.alloc(6)),
    ...Array.from({ length: count }, () => frame),
  ])
  return chunk('RIFF', body)
}

export interface ApngFrame {
  /** RGBA, row by row. */
  pixels: Buffer
  width: number
  height: number
  x?: number
  y?: number
  dispose?: number
  blend?: number
  ms?: number
}

/** A PNG that moves, put together by hand: its first picture is the one that others show, unless there is a `still`. PNG, third edition, §11.3.4. */
export function apng(
  width: number,
  height: number,
  pictures: ApngFrame[],
  { loops = 0, still }: { loops?: number; still?: Buffer } = {},
): Buffer {
  const u32 = (...values: number[]) => {
    const bytes = Buffer.alloc(values.length * 4)
    for (const [n, value] of values.entries()) bytes.writeUInt32BE(value, n * 4)
    return bytes
  }
  const chunk = (type: string, ...parts: Buffer[]) => {
    const typed = Buffer.concat([Buffer.from(type, 'latin1'), ...parts])
    return Buffer.concat([u32(typed.length - 4), typed, u32(crc32(typed))])
  }
  const packed = (pixels: Buffer, across: number) => {
    const rows = Array.from({ length: pixels.length / (across * 4) }, (_, n) =>
      Buffer.concat([Buffer.alloc(1), pixels.subarray(n * across * 4, (n + 1) * across * 4)]),
    )
    return deflateSync(Buffer.concat(rows))
  }
  let sequence = 0
  const chunks = pictures.flatMap(
    ({ pixels, width: w, height: h, x = 0, y = 0, dispose = 0, blend = 0, ms = 100 }, n) => {
      const times = Buffer.from([ms >> 8, ms & 255, 1000 >> 8, 1000 & 255, dispose, blend])
      const control = chunk('fcTL', u32(sequence++, w, h, x, y), times)
      const data = packed(pixels, w)
      return [control, n === 0 && !still ? chunk('IDAT', data) : chunk('fdAT', u32(sequence++), data)]
    },
  )
  return Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    chunk('IHDR', u32(width, height), Buffer.from([8, 6, 0, 0, 0])),
    chunk('acTL', u32(pictures.length, loops)),
    ...(still ? [chunk('IDAT', packed(still, width))] : []),
    ...chunks,
    chunk('IEND'),
  ])
}

/** 2 s of H.264, 640 × 360 at 25 frames a second: the boxes alone, without a picture. ISO/IEC 14496-12. */
export function mp4(): Buffer {
  const box = (type: string, ...parts: (Buffer | number[])[]) => {
    const body = Buffer.concat(parts.map((part) => (Array.isArray(part) ? Buffer.from(part) : part)))
    const head = Buffer.alloc(8)
    head.writeUInt32BE(body.length + 8, 0)
    head.write(type, 4, 'latin1')
    return Buffer.concat([head, body])
  }
  const u32 = (...values: number[]) => {
    const bytes = Buffer.alloc(values.length * 4)
    for (const [n, value] of values.entries()) bytes.writeUInt32BE(value >>> 0, n * 4)
    return bytes
  }
  const u16 = (...values: number[]) => values.flatMap((value) => [value >> 8, value & 255])
  const text = (value: string) => Buffer.from(value, 'latin1')
  const matrix = u32(0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
  const avcC = box('avcC', [1, 66, 0, 30, 0xff, 0xe0, 0])
  const avc1 = box(
    'avc1',
    Buffer.alloc(6),
    u16(1),
    Buffer.alloc(16),
    u16(640, 360),
    u32(0x480000, 0x480000, 0),
    u16(1),
    Buffer.alloc(32),
    u16(24, 0xffff),
    avcC,
  )
  const samples = box(
    'stbl',
    box('stsd', u32(0, 1), avc1),
    box('stts', u32(0, 1, 50, 512)),
    box('stsc', u32(0, 1, 1, 50, 1)),
    box('stsz', u32(0, 10, 50)),
    box('stco', u32(0, 1, 40)),
  )
  const information = box(
    'minf',
    box('vmhd', u32(1, 0, 0)),
    box('dinf', box('dref', u32(0, 1), box('url ', u32(1)))),
    samples,
  )
  const track = box(
    'trak',
    box('tkhd', u32(3, 0, 0, 1, 0, 2_000, 0, 0, 0, 0), matrix, u32(640 << 16, 360 << 16)),
    box(
      'mdia',
      box('mdhd', u32(0, 0, 0, 12_800, 25_600, 0)),
      box('hdlr', u32(0, 0), text('vide'), Buffer.alloc(13)),
      information,
    ),
  )
  const header = box('mvhd', u32(0, 0, 0, 1_000, 2_000, 0x10000, 0x1000000, 0, 0), matrix, Buffer.alloc(24), u32(2))
  return Buffer.concat([
    box('ftyp', text('isom'), u32(512), text('isomavc1')),
    box('mdat', Buffer.alloc(500)),
    box('moov', header, track),
  ])
}

export type Answer = (request: IncomingMessage, response: ServerResponse) => void

export interface TestServer {
  url: string
  /** What is at a path; anything else is a 404. */
  at: Map<string, Answer>
  /** How often each path was asked for. */
  asked: Map<string, number>
  close(): Promise<void>
}

export async function testServer(): Promise<TestServer> {
  const at = new Map<string, Answer>()
  const asked = new Map<string, number>()
  const server: Server = createServer((request, response) => {
    const path = (request.url ?? '').split('?')[0] ?? ''
    asked.set(path, (asked.get(path) ?? 0) + 1)
    const answer = at.get(path)
    if (answer) answer(request, response)
    else response.writeHead(404).end('nothing here')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    at,
    asked,
    close() {
      server.closeAllConnections()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
}

export const serves =
  (body: Buffer | string, type = 'image/png', headers: Record<string, string> = {}): Answer =>
  (_request, response) => {
    response.writeHead(200, { 'content-type': type, ...headers }).end(body)
  }
