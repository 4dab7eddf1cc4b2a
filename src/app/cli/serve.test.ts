import { resolve } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import { expect, test } from 'vitest'
import { sameDatabase } from './serve.ts'

const told = (config: Parameters<typeof sameDatabase>[0]) => sameDatabase(config).map(stripVTControlCharacters)

test('commands of another terminal are led to the same database, however its folder is called, and no password is shown', () => {
  expect(told({ embedded: true, dataDirectory: resolve('.lockstep') })).toEqual([])
  expect(told({ embedded: true, dataDirectory: "/srv/it's a shop" })).toEqual([
    `  export LOCKSTEP_DATA='/srv/it'\\''s a shop'`,
  ])
  expect(told({ embedded: false, dataDirectory: '' })).toEqual(['  with the same DATABASE_URL and LOCKSTEP_JWT_SECRET'])
})
