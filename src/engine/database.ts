/** The door to Postgres: a tagged template for statements, transactions, and a session that is one physical connection. */
import { createHash } from 'node:crypto'
import pg from 'pg'

/** A result: the rows, and how many rows the statement touched. */
export type Rows<Row> = Row[] & { count: number }

/**
 * Runs statements: sql`select … where id = ${id}` prepares once per connection and binds the values; `sql.text` runs one that was
 * put together at run time (values still bound). Statements issued without awaiting travel in one round trip, in order.
 */
export interface Sql {
  // biome-ignore lint/suspicious/noExplicitAny: a row has the shape its statement gives it
  <Row = any>(strings: TemplateStringsArray, ...values: unknown[]): Promise<Rows<Row>>
  // biome-ignore lint/suspicious/noExplicitAny: as above
  text<Row = any>(text: string, values?: unknown[]): Promise<Rows<Row>>
}

/** One physical connection. Once it broke it stays broken: statements never move to another connection half-way. */
export interface Session extends Sql {
  readonly pid: number
  /** Returns the connection; pass the error that made it doubtful and it is destroyed instead. */
  release(error?: unknown): void
}

/** A pool of sessions on one database. Statements outside `begin` commit by themselves. */
export interface Database extends Sql {
  /** Commits when `work` resolves, rolls back when it rejects (with the same error). */
  begin<Result>(work: (tx: Sql) => Promise<Result>): Promise<Result>
  reserve(): Promise<Session>
  /** Calls `heard` for every notification; reconnects by itself and then calls it once with ''. Resolves when listening. */
  listen(channel: string, heard: (payload: string) => void): Promise<() => Promise<void>>
  close(): Promise<void>
  readonly url: string
}

export interface DatabaseOptions {
  /** Shown in pg_stat_activity; a standby ends the sessions of a stale process by this name. At most 63 bytes. */
  name?: string
  /** Connections at most. */
  max?: number
  /** A statement without a reply for so long has its connection destroyed; its outcome is then unknown. */
  deadlineMs?: number
  /** Milliseconds a statement may wait for a row lock. */
  lockTimeoutMs?: number
}

// Dates stay Dates; bigint counts and positions fit a double until 2^53; json stays text, to be parsed once where it is needed.
const types = new pg.TypeOverrides()
types.setTypeParser(pg.types.builtins.INT8, Number)
types.setTypeParser(pg.types.builtins.JSON, (text: string) => text)

export function openDatabase(url: string, options: DatabaseOptions = {}): Database {
  const { name = 'lockstep', max = 10, deadlineMs = 15_000, lockTimeoutMs = 5_000 } = options
  const connection = {
    connectionString: url,
    application_name: name,
    pipeline: true,
    types,
    keepAlive: true,
    keepAliveInitialDelayMillis: 5_000,
    connectionTimeoutMillis: 5_000,
    query_timeout: deadlineMs,
    lock_timeout: lockTimeoutMs,
    // A process stalled between append and commit would hold the log's head; the server ends it (DESIGN, The log).
    idle_in_transaction_session_timeout: 2_000,
    options: `-c transaction_timeout=${Math.min(deadlineMs, 10_000)}`,
  }
  const pool = new pg.Pool({ ...connection, max, idleTimeoutMillis: 60_000 })
  pool.on('error', () => {}) // an idle connection that breaks is simply replaced
  pool.on('connect', (client) => client.on('error', () => {})) // whoever uses it sees its own statement fail

  const reserve = async (): Promise<Session> => {
    const client = await pool.connect()
    const session = statements((config) => client.query(config)) as Session
    Object.defineProperty(session, 'pid', { value: (client as unknown as { processID: number }).processID })
    let released = false
    session.release = (error) => {
      if (released) return
      released = true
      client.release(error !== undefined)
    }
    return session
  }

  return Object.assign(
    statements((config) => pool.query(config)),
    {
      url,
      reserve,
      async begin<Result>(work: (tx: Sql) => Promise<Result>): Promise<Result> {
        const session = await reserve()
        try {
          const [, result] = await Promise.all([session`begin`, work(session)])
          const committed = await session`commit`
          if (!committed) throw new Error('commit failed')
          session.release()
          return result
        } catch (error) {
          await session`rollback`.then(
            () => session.release(),
            (broken) => session.release(broken),
          )
          throw error
        }
      },
      listen: (channel: string, heard: (payload: string) => void) => listen({ ...connection, query_timeout: 0 }, channel, heard),
      close: () => pool.end(),
    },
  )
}

type Run = (config: pg.QueryConfig) => Promise<pg.QueryResult>

const prepared = new WeakMap<TemplateStringsArray, { text: string; name: string }>()

function statements(run: Run): Sql {
  const rows = async (config: pg.QueryConfig) => {
    const result = await run(config)
    // biome-ignore lint/suspicious/noExplicitAny: the caller names the row's shape
    return Object.assign(result.rows as any[], { count: result.rowCount ?? 0 })
  }
  const sql = (strings: TemplateStringsArray, ...values: unknown[]) => {
    let statement = prepared.get(strings)
    if (!statement) {
      const text = strings.reduce((left, right, n) => `${left}$${n}${right}`)
      statement = { text, name: createHash('sha1').update(text).digest('base64url') }
      prepared.set(strings, statement)
    }
    return rows(values.length === 0 ? { text: statement.text } : { ...statement, values })
  }
  return Object.assign(sql, { text: (text: string, values: unknown[] = []) => rows({ text, values }) }) as Sql
}

async function listen(config: pg.ClientConfig, channel: string, heard: (payload: string) => void) {
  let stopped = false
  let client: pg.Client | undefined
  const connect = async (): Promise<void> => {
    const next = new pg.Client(config)
    next.on('notification', (message) => heard(message.payload ?? ''))
    next.on('error', () => {})
    next.on('end', () => {
      if (!stopped) void again()
    })
    try {
      await next.connect()
      await next.query(`listen ${next.escapeIdentifier(channel)}`)
      client = next
    } catch (error) {
      await next.end().catch(() => {})
      throw error
    }
  }
  const again = async () => {
    while (!stopped) {
      await new Promise((resolve) => setTimeout(resolve, 250).unref())
      const back = await connect().then(
        () => true,
        () => false,
      )
      if (back) return heard('')
    }
  }
  await connect()
  return async () => {
    stopped = true
    await client?.end()
  }
}
