/** Applies folders of numbered SQL files, each once, in order, in one transaction a folder. */
import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import type { Database } from './database.ts'

const engineSchema = new URL('./schema/', import.meta.url)

/** A schema as one number for `--version` and health: how many files have been applied. */
export async function migrate(db: Database, folders: { name: string; schema: URL }[]): Promise<void> {
  await requirePostgres18(db)
  for (const { name, schema } of [{ name: 'engine', schema: engineSchema }, ...folders]) {
    const files = (await readdir(schema)).filter((file) => file.endsWith('.sql')).sort()
    const texts = await Promise.all(files.map((file) => readFile(new URL(file, schema), 'utf8')))
    await db.begin(async (tx) => {
      await tx`select pg_advisory_xact_lock(hashtext('lockstep.migrate'))`
      await tx`create table if not exists public.lockstep_migrations (folder text, file text, checksum text, at timestamptz default now(), primary key (folder, file))`
      const applied = await tx<{ file: string; checksum: string }>`
        select file, checksum from public.lockstep_migrations where folder = ${name}`
      for (const [n, file] of files.entries()) {
        const checksum = createHash('sha256')
          .update(texts[n] ?? '')
          .digest('hex')
        const before = applied.find((row) => row.file === file)
        if (before && before.checksum !== checksum)
          throw new Error(`${name}/${file} was changed after it had been applied; add a new file instead`)
        if (before) continue
        await tx.text(texts[n] ?? '')
        await tx`insert into public.lockstep_migrations (folder, file, checksum) values (${name}, ${file}, ${checksum})`
      }
    })
  }
}

async function requirePostgres18(db: Database) {
  const [row] = await db<{ version: number }>`select current_setting('server_version_num')::int as version`
  if ((row?.version ?? 0) < 180_000)
    throw new Error(`PostgreSQL 18 or newer is needed (uuidv7); this server is ${row?.version}`)
}
