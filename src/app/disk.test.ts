import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { Disk } from './disk.ts'

test('writes are refused, with the folder and what to do, once less than the reserve is left; the room kept aside is given away then', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'lockstep-disk-'))
  expect(new Disk(folder, { reserveBytes: 1 }).shortage()).toBeUndefined()
  await vi.waitFor(async () => expect(await readdir(folder)).toHaveLength(1), 30_000)
  const shortage = new Disk(folder, { reserveBytes: 2 ** 60 }).shortage()
  expect(shortage).toMatch(/^the disk of .+ has \d+ MiB left, writes need 1099511627776: make room/)
  expect(shortage).toContain(folder)
  await vi.waitFor(async () => expect(await readdir(folder)).toEqual([]), 30_000)
  await rm(folder, { recursive: true })
})
