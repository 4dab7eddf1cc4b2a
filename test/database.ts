/** A database of its own for a test file or a single test, on the server of the test run. */
import { randomBytes } from 'node:crypto'
import { Client } from 'pg'
import { afterAll, inject } from 'vitest'

export interface TestDatabase {
  url: string
  /** Ends what is still connected and removes the database; happens by itself at the end of the file. */
  drop(): Promise<void>
}

export async function createTestDatabase(): Promise<TestDatabase> {
  const server = inject('serverUrl')
  const name = `test_${randomBytes(8).toString('hex')}`
  await onServer(server, `create database ${name}`)
  const url = new URL(server)
  url.pathname = `/${name}`
  let dropped: Promise<void> | undefined
  const drop = () => (dropped ??= onServer(server, `drop database if exists ${name} with (force)`))
  cleanUps.push(drop)
  return { url: url.href, drop }
}

const cleanUps: (() => Promise<void>)[] = []

afterAll(async () => {
  for (const drop of cleanUps.splice(0)) await drop()
})

async function onServer(url: string, statement: string): Promise<void> {
  const client = new Client({ connectionString: url, application_name: 'lockstep test' })
  await client.connect()
  try {
    await client.query(statement)
  } finally {
    await client.end()
  }
}
