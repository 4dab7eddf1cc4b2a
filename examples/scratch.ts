/** A database for one example alone: on the server of DATABASE_URL, else on an embedded one that ends with the program. */
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openEmbeddedPostgres } from '../src/app/postgres.ts'
import { openDatabase } from '../src/index.ts'

export type Scratch = { url: string } & AsyncDisposable

export async function scratchDatabase(): Promise<Scratch> {
  const server = process.env.DATABASE_URL
  if (server) return onServer(server)
  const directory = await mkdtemp(join(tmpdir(), 'lockstep-example-'))
  const postgres = await openEmbeddedPostgres({ directory: join(directory, 'postgres') })
  return {
    url: postgres.url,
    async [Symbol.asyncDispose]() {
      await postgres.close()
      await rm(directory, { recursive: true, force: true })
    },
  }
}

async function onServer(server: string): Promise<Scratch> {
  const name = `example_${randomBytes(6).toString('hex')}`
  const db = openDatabase(server, { name: 'lockstep example', max: 1 })
  await db.text(`create database ${name}`)
  const url = new URL(server)
  url.pathname = `/${name}`
  return {
    url: url.href,
    async [Symbol.asyncDispose]() {
      await db.text(`drop database ${name} with (force)`)
      await db.close()
    },
  }
}
