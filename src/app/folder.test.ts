import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { FolderUnusable, makeFolder } from './folder.ts'

async function parent(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'lockstep-folder-'))
  onTestFinished(() => rm(path, { recursive: true, force: true }))
  return path
}

test('a folder is made with those above it, by as many at once as like', async () => {
  const within = await parent()
  for (let n = 0; n < 50; n++) {
    const path = join(within, `${n}`, 'a', 'b', 'c')
    await Promise.all(Array.from({ length: 6 }, () => makeFolder(path, 0o700)))
    expect((await stat(path)).isDirectory()).toBe(true)
    await makeFolder(path)
  }
})

test('what is a file, or is below one, is refused with the name of the setting', async () => {
  const file = join(await parent(), 'file')
  await writeFile(file, '')
  for (const path of [file, join(file, 'data')]) {
    const refusal = await makeFolder(path).catch((error) => error)
    expect(refusal).toBeInstanceOf(FolderUnusable)
    expect(refusal.message).toContain(`LOCKSTEP_DATA can not be kept in ${path}: `)
  }
})

test.runIf(process.platform === 'linux')('a place that takes no folders is told at once, not waited for', async () => {
  for (const path of ['/proc/nope', '/proc/nope/deeper'])
    await expect(makeFolder(path)).rejects.toThrow(/^LOCKSTEP_DATA can not be kept in \/proc\/nope/)
})
