/**
 * bench/media's rival, in a process of its own: makes photographs in a folder (`photos`) and their renditions with plain sharp in a loop (`seconds`).
 * It yields to other processes as the workshop does, so that whatever else runs on the machine slows both alike.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { constants, setPriority } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { sizes } from '../src/services/media/recipe.ts'

const [, , folder = '', first = '', count = ''] = process.argv
setPriority(constants.priority.PRIORITY_BELOW_NORMAL)
const photos = Array.from({ length: Number(count) }, (_, n) => Number(first) + n)
const nameOf = (n: number) => join(folder, `${n}.jpg`)
for (const n of photos) writeFileSync(nameOf(n), await photo(n))
const begun = performance.now()
for (const n of photos) await make(readFileSync(nameOf(n)))
process.stdout.write(String((performance.now() - begun) / 1_000))

/** Shapes and grain, as a camera's picture has; every one another. */
function photo(n: number): Promise<Buffer> {
  const shapes = Array.from({ length: 12 }, (_, k) => {
    const [x, y, r] = [(n * 131 + k * 257) % 1600, (n * 71 + k * 173) % 1200, 60 + ((n + k * 37) % 200)]
    return `<circle cx="${x}" cy="${y}" r="${r}" fill="hsl(${(n * 47 + k * 61) % 360},60%,50%)" opacity="0.7"/>`
  })
  const drawing = Buffer.from(`<svg width="1600" height="1200">${shapes.join('')}</svg>`)
  const noise = { type: 'gaussian', mean: 128, sigma: 12 } as const
  const create = { width: 1600, height: 1200, channels: 3, background: '#888', noise } as const
  return sharp({ create })
    .composite([{ input: drawing }])
    .jpeg({ quality: 88 })
    .toBuffer()
}

/** As one would write it: every size of the picture itself, every format of every size. */
async function make(image: Buffer): Promise<void> {
  for (const [name, edge] of sizes) {
    const resized = sharp(image).autoOrient().resize(edge, edge, { fit: 'inside', withoutEnlargement: true })
    await resized
      .clone()
      .avif({ quality: 50, effort: 2 })
      .toFile(join(folder, `${name}.avif`))
    await resized
      .clone()
      .webp({ quality: 78 })
      .toFile(join(folder, `${name}.webp`))
    await resized
      .clone()
      .jpeg({ quality: 80 })
      .toFile(join(folder, `${name}.jpg`))
  }
}
