/** Names that only the database knows, for completing them: asked of one that runs, and of nobody when none does, since a key was pressed. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

export interface KnownNames {
  consumers: string[]
  feeds: string[]
}

const PATIENCE_MS = 2_000

export async function knownNames(): Promise<KnownNames> {
  const none = { consumers: [], feeds: [] }
  try {
    const [{ readConfig }, { Client }] = await Promise.all([import('../config.ts'), import('pg')])
    const config = readConfig(process.env)
    const client = new Client({
      connectionString: config.embedded ? await runningServer(config.dataDirectory) : config.databaseUrl,
      application_name: 'lockstep completion',
      connectionTimeoutMillis: PATIENCE_MS,
      statement_timeout: PATIENCE_MS,
      query_timeout: PATIENCE_MS,
    })
    client.on('error', () => {})
    await client.connect()
    try {
      const { rows } = await client.query<{ consumers: string[]; feeds: string[] }>(`
        select array(select name from lockstep.consumers order by name limit 1000) as consumers,
               array(select name from feeds.feeds order by name limit 1000) as feeds`)
      return rows[0] ?? none
    } finally {
      await client.end()
    }
  } catch {
    return none
  }
}

/** The embedded server of the data directory, as its own files tell of it. Throws where none has been started. */
async function runningServer(dataDirectory: string): Promise<string> {
  const data = join(dataDirectory, 'postgres', 'data')
  const read = (file: string) => readFile(join(data, file), 'utf8')
  const [pid, password] = await Promise.all([read('postmaster.pid'), read('lockstep.password')])
  return `postgres://lockstep:${password}@127.0.0.1:${pid.split('\n')[3]}/lockstep`
}
