import { execFile } from 'node:child_process'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, inject, test } from 'vitest'

const run = promisify(execFile)
const lessons = globSync('[0-9]*.ts', { cwd: import.meta.dirname }).sort()

test('there are lessons, numbered without a gap', () => {
  expect(lessons.map((file) => Number(file.slice(0, 2)))).toEqual(Array.from({ length: 6 }, (_, n) => n + 1))
})

test.each(lessons)('%s prints what its last comment says', async (lesson) => {
  const file = join(import.meta.dirname, lesson)
  const promised = /\n\/\* Prints:\n([\s\S]*?)\n\*\/\n$/.exec(readFileSync(file, 'utf8'))?.[1]
  const env = { ...process.env, DATABASE_URL: inject('serverUrl'), FORCE_COLOR: '0' }
  const { stdout, stderr } = await run(process.execPath, [file], { env, timeout: 15_000 })
  expect(stdout.trimEnd()).toBe(promised)
  expect(stderr).toBe('')
})
