import { execFileSync } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { GiveUp } from '../../engine/verdict.ts'
import { usualLimits } from './content.ts'
import { frames, photo, webpOfFrames } from './media-testing.ts'
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

test('an animated WebP that breaks off is broken', async () => {
  const workshop = new Workshop()
  const file = join(folder, 'half.webp')
  await writeFile(file, (await webpOfFrames(20, 50)).subarray(0, 600))
  await expect(workshop.make(job(file))).rejects.toThrow(GiveUp)
  workshop.close()
})
