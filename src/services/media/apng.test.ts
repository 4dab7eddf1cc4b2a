import fc from 'fast-check'
import sharp from 'sharp'
import { expect, test } from 'vitest'
import { GiveUp } from '../../engine/verdict.ts'
import { type Apng, draw, readApng } from './apng.ts'
import { type ApngFrame, apng, photo } from './media-testing.ts'

const [red, green, half, clear] = [
  [255, 0, 0, 255],
  [0, 255, 0, 255],
  [0, 0, 255, 128],
  [0, 0, 0, 0],
]
const filled = (width: number, height: number, colour: number[] = []) =>
  Buffer.from(Array.from({ length: width * height }, () => colour).flat())
const frame = (width: number, height: number, colour: number[] | undefined, rest: Partial<ApngFrame> = {}) => ({
  pixels: filled(width, height, colour),
  width,
  height,
  ...rest,
})
const read = (png: Buffer) => readApng(png) as Apng
/** The colour of one pixel in each picture. */
async function seenAt(x: number, y: number, png: Buffer): Promise<number[][]> {
  const made = read(png)
  const pictures = await Promise.all((await draw(made)).map((picture) => sharp(picture).raw().toBuffer()))
  return pictures.map((pixels) => [...pixels.subarray((y * made.width + x) * 4).subarray(0, 4)])
}

test.each<[string, number, number, number[] | undefined, (number[] | undefined)[]]>([
  ['stays', 0, 0, green, [red, green, green]],
  ['is cleared', 1, 0, green, [red, green, clear]],
  ['is taken back', 2, 0, green, [red, green, red]],
  ['takes the place of what was there, clear as it is', 0, 0, clear, [red, clear, clear]],
  ['lies over what was there', 0, 1, half, [red, [127, 0, 128, 255], [127, 0, 128, 255]]],
  ['is not there where it is clear and lies over', 0, 1, clear, [red, red, red]],
])('a picture that %s does so in its place and nowhere else', async (_what, dispose, blend, colour, expected) => {
  const png = apng(6, 4, [
    frame(6, 4, red),
    frame(2, 2, colour, { x: 2, y: 1, dispose, blend }),
    frame(1, 1, red, { x: 5, y: 3 }),
  ])
  expect(await seenAt(2, 1, png)).toEqual(expected)
  expect(await seenAt(3, 2, png)).toEqual(expected)
  for (const [x, y] of [
    [1, 1],
    [4, 1],
    [2, 0],
    [3, 3],
  ] as const)
    expect(await seenAt(x, y, png)).toEqual([red, red, red])
})

test('one half clear over another is as clear as both', async () => {
  const png = apng(1, 1, [frame(1, 1, half), frame(1, 1, [255, 0, 0, 128], { blend: 1 })])
  expect(await seenAt(0, 0, png)).toEqual([half, [170, 0, 85, 192]])
})

test('the picture for viewers that know no movement is none of the animation, unless it begins it', () => {
  const still = filled(6, 4, green)
  const pictures = [frame(6, 4, red, { ms: 70 }), frame(6, 4, half, { ms: 0 })]
  expect(read(apng(6, 4, pictures, { still, loops: 3 }))).toMatchObject({ loops: 3, frames: [{ ms: 70 }, { ms: 0 }] })
  expect(read(apng(6, 4, pictures)).frames).toHaveLength(2)
})

test('a PNG that does not move, and one whose pictures are not in order, are stills', async () => {
  expect(readApng(await photo(9, 9).png().toBuffer())).toBeUndefined()
  const two = [frame(6, 4, red), frame(2, 2, green)]
  const png = apng(6, 4, two)
  expect(readApng(png)).toBeDefined()
  expect(readApng(apng(6, 4, two.slice(0, 1)))).toBeUndefined()
  expect(readApng(apng(6, 4, [...two, frame(3, 2, green, { x: 4 })]))).toBeUndefined()
  expect(readApng(png.subarray(0, png.length - 30))).toBeUndefined()
  const swapped = Buffer.from(png)
  swapped.writeUInt32BE(7, png.lastIndexOf('fcTL') + 4)
  expect(readApng(swapped)).toBeUndefined()
})

test('a picture that can’t be read is a refusal', async () => {
  const made = read(apng(6, 4, [frame(6, 4, red), frame(6, 4, green)]))
  ;(made.frames[1] as Apng['frames'][0]).data = [Buffer.from('no pixels at all')]
  await expect(draw(made)).rejects.toThrow(new GiveUp('it is broken: a picture of its animation can not be read'))
})

test('whatever is in the file, it is an animation, a still or a refusal', async () => {
  const png = apng(6, 4, [frame(6, 4, red), frame(2, 2, half, { x: 1, blend: 1, dispose: 2 }), frame(6, 4, green)])
  const changes = fc.array(fc.tuple(fc.nat(png.length - 1), fc.nat(255)), { maxLength: 5 })
  await fc.assert(
    fc.asyncProperty(changes, fc.nat(png.length), async (bytes, length) => {
      const other = Buffer.from(png.subarray(0, length))
      for (const [at, byte] of bytes) if (at < length) other[at] = byte
      const made = readApng(other)
      if (!made || made.width * made.height > 1_000) return
      const film = await draw(made).catch((error) => error)
      if (!(film instanceof GiveUp)) expect(film).toHaveLength(made.frames.length)
    }),
    { numRuns: 150 },
  )
})
