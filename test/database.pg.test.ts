import { Client } from 'pg'
import { expect, test } from 'vitest'
import { createTestDatabase } from './database.ts'

async function names(url: string): Promise<string[]> {
  const client = new Client({ connectionString: url })
  await client.connect()
  const rows = await client.query<{ datname: string }>('select datname from pg_database')
  await client.end()
  return rows.rows.map((row) => row.datname)
}

test('every test database is a new one, and is gone after its drop', async () => {
  const one = await createTestDatabase()
  const two = await createTestDatabase()
  const name = new URL(one.url).pathname.slice(1)
  expect(await names(two.url)).toContain(name)
  await one.drop()
  expect(await names(two.url)).not.toContain(name)
})

test('tests run on Node 24', () => {
  expect(Number(process.versions.node.split('.')[0])).toBeGreaterThanOrEqual(24)
})
