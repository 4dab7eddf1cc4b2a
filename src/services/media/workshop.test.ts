import { execFileSync } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { GiveUp } from '../../engine/verdict.ts'
import { movingAvif } from './avif-testing.ts'
import { usualLimits } from './content.ts'
import { apng, frames, photo, webpOfFrames } from './media-testing.ts'
import { Workshop } from './workshop.ts'

let folder: string
let good: string
/** Whoever reads it waits for ever. */
let stuck: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lockstep-workshop-'))
  good = join(folder, 'good.png')
  await photo(90, 60).png().toFile(good)
  stuck = join(folder, 'stuck.png')
  execFileSync('mkfifo', [stuck])
})
afterAll(() => rm(folder, { recursive: true }))

const job = (file: string) => ({ kind: 'image' as const, file, folder, limits: usualLimits })
const processes = () => {
  try {
    return execFileSync('pgrep', ['-P', String(process.pid), '-f', 'workshop-process'])
      .toString()
      .trim()
      .split('\n')
      .map(Number)
  } catch {
    return []
  }
}

test('what takes too long ends its process, and the next job gets another', async () => {
  const workshop = new Workshop(5_000)
  const slow = workshop.make(job(stuck))
  const next = workshop.make(job(good))
  const error = await slow.catch((error) => error)
  expect(error.message).toBe('it took longer than 5 s to read')
  expect(error).not.toBeInstanceOf(GiveUp) // the machine may have been busy
  expect(await next).toMatchObject({ width: 90, height: 60 })
  workshop.close()
})

test('a crash is the failure of the job it happened over, and the next gets another process', async () => {
  const workshop = new Workshop()
  await workshop.make(job(good))
  const [before] = processes()
  const crashing = workshop.make(job(stuck))
  process.kill(before as number, 'SIGSEGV')
  await expect(crashing).rejects.toThrow('the program that reads images crashed over it')
  expect(await workshop.make(job(good))).toMatchObject({ width: 90 })
  expect(processes()).not.toContain(before)
  workshop.close()
  await expect(workshop.make(job(good))).rejects.toThrow('the workshop is closed')
})

/** What the workshop's only process has taken at most, in MB. */
async function memoryMax(): Promise<number> {
  const status = await readFile(`/proc/${processes()[0]}/status`, 'utf8')
  return Number(/VmHWM:\s*(\d+) kB/.exec(status)?.[1]) / 1024
}

test('an animation of ten thousand frames is refused, and one as large as is taken costs no more than a still', async () => {
  const workshop = new Workshop()
  await workshop.make(job(good))
  const before = await memoryMax()
  const bomb = join(folder, 'bomb.webp')
  await writeFile(bomb, await webpOfFrames(10_000, 2_000)) // 40 thousand million pixels
  await expect(workshop.make(job(bomb))).rejects.toThrow(new GiveUp('it has 10000 frames, 200 are the most'))
  await writeFile(bomb, await webpOfFrames(200, 2_000))
  expect(await workshop.make(job(bomb))).not.toHaveProperty('animation')
  const large = join(folder, 'large.gif')
  await (await frames(10, 1_000, 1_000)).gif({ effort: 1 }).toFile(large)
  expect(await workshop.make(job(large))).toMatchObject({ animation: { frames: 10 } })
  expect((await memoryMax()) - before).toBeLessThan(300) // PROOF, Hostile input
  workshop.close()
})

test('a PNG that moves moves as WebP, and costs no more than any animation', async () => {
  const workshop = new Workshop()
  await workshop.make(job(good))
  const before = await memoryMax()
  const [width, height] = [1_000, 500]
  const pictures = Array.from({ length: 20 }, (_, n) => ({
    pixels: Buffer.alloc(width * height * 4, n * 12),
    width,
    height,
    ms: 40 + n,
  }))
  const file = join(folder, 'moving.png')
  await writeFile(file, apng(width, height, pictures, { loops: 4 }))
  const animation = { frames: 20, durationMs: 990, loops: 4 }
  expect(await workshop.make(job(file))).toMatchObject({ contentType: 'image/png', width, height, animation })
  const seen = await sharp(join(folder, 'thumb.webp'), { animated: true }).metadata()
  expect(seen).toMatchObject({ pages: 20, width: 160, pageHeight: 80, loop: 4, delay: pictures.map(({ ms }) => ms) })
  expect((await sharp(join(folder, 'thumb.avif')).metadata()).pages).toBe(1)
  expect((await memoryMax()) - before).toBeLessThan(300) // PROOF, Hostile input
  await writeFile(
    file,
    apng(
      1,
      1,
      Array.from({ length: 201 }, () => ({ pixels: Buffer.alloc(4), width: 1, height: 1 })),
    ),
  )
  await expect(workshop.make(job(file))).rejects.toThrow(new GiveUp('it has 201 frames, 200 are the most'))
  workshop.close()
})

test('an animated WebP that breaks off is broken', async () => {
  const workshop = new Workshop()
  const file = join(folder, 'half.webp')
  await writeFile(file, (await webpOfFrames(20, 50)).subarray(0, 600))
  await expect(workshop.make(job(file))).rejects.toThrow(GiveUp)
  workshop.close()
})

test('an AVIF that moves is a still of how it begins; without a still in it it is refused', async () => {
  const workshop = new Workshop()
  const moving = join(folder, 'moving.avif')
  await writeFile(moving, await movingAvif(['#f00', '#0f0', '#00f']))
  const made = await workshop.make(job(moving))
  expect(made).toMatchObject({ contentType: 'image/avif', width: 64, height: 64 })
  expect(made).not.toHaveProperty('animation')
  for (const format of ['avif', 'webp', 'jpg']) {
    const [red, green, blue] = await sharp(join(folder, `thumb.${format}`))
      .removeAlpha()
      .raw()
      .toBuffer()
    expect([format, (red as number) > 240, (green as number) < 15, (blue as number) < 15]).toEqual([
      format,
      true,
      true,
      true,
    ])
  }
  await writeFile(moving, await movingAvif(['#f00', '#0f0'], { still: false }))
  await expect(workshop.make(job(moving))).rejects.toThrow(/^it is broken: /)
  workshop.close()
})
