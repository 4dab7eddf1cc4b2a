import { globSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { schemaCount } from './version.ts'

const sources = join(import.meta.dirname, '../..')

test('the version counts every schema file, also of what is no service', () => {
  const files = globSync('**/schema/*.sql', { cwd: sources })
  expect(files.some((file) => /^app[\\/]/.test(file))).toBe(true)
  expect(schemaCount()).toBe(files.length)
})
