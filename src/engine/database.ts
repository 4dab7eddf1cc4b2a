/** The door to Postgres: a tagged template for statements, transactions, and a session that is one physical connection. */
import { createHash } from 'node:crypto'
import type { Duplex } from 'node:stream'
import pg from 'pg'

/** A result: the rows, how many rows the statement touched, and what Postgres says it did (`COMMIT`, `ROLLBACK`, `UPDATE` …). */
export type Rows<Row> = Row[] & { count: number; command: string }

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
  /** Calls `heard` for every notification; connects again by itself and then calls it once with ''. Resolves after the first try, whether or not it is listening by then. */
  listen(channel: string, heard: (payload: string) => void): Promise<() => Promise<void>>
  close(): Promise<void>
  readonly url: string
}

export interface DatabaseOptions {
  /** Milliseconds a session may sit inside a transaction without a statement before the server ends it. */
  idleInTransactionMs?: number
  /** Shown in pg_stat_activity; a standby ends the sessions of a stale process by this name. At most 63 bytes. */
  name?: string
  /** Connections at most. */
  max?: number
  /** A statement without a reply for so long has its connection destroyed; its outcome is then unknown. */
  deadlineMs?: number
  /** Milliseconds a statement may wait for a lock; behind others who wait for the same row it can be twice that. */
  lockTimeoutMs?: number
}

// Dates stay Dates; bigint counts and positions fit a double until 2^53; json stays text, to be parsed once where it is needed.
const types = new pg.TypeOverrides()
types.setTypeParser(pg.types.builtins.INT8, Number)
types.setTypeParser(pg.types.builtins.JSON, (text: string) => text)

export function openDatabase(url: string, options: DatabaseOptions = {}): Database {
  const {
    name = 'lockstep',
    max = 10,
    deadlineMs = 12_000,
    lockTimeoutMs = 3_000,
    idleInTransactionMs = 2_000,
  } = options
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
    idle_in_transaction_session_timeout: idleInTransactionMs,
    options: `-c transaction_timeout=${deadlineMs === 0 ? 0 : deadlineMs - 2_000}`,
  }
  const pool = new pg.Pool({ ...connection, max, idleTimeoutMillis: 60_000 })
  pool.on('error', () => {}) // an idle connection that breaks is simply replaced
  pool.on('connect', (client) => client.on('error', () => {})) // whoever uses it sees its own statement fail

  const reserve = async (): Promise<Session> => {
    const client = await pool.connect()
    let cause: unknown
    const session = statements((config) => {
      gather(client)
      return client.query(config).catch((error: { code?: string }) => {
        // Of statements issued together the later ones fail because an earlier one did: whoever hears of theirs first should learn why.
        if (error.code !== '25P02') cause = error
        throw cause ?? error
      })
    }) as Session
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
        const { tx, revoke } = revocable(session)
        try {
          const [, result] = await Promise.all([session`begin`, work(tx)])
          revoke()
          await commit(session)
          session.release()
          return result
        } catch (error) {
          revoke()
          await session`rollback`.then(
            () => session.release(),
            (broken) => session.release(broken),
          )
          throw error
        }
      },
      listen: (channel: string, heard: (payload: string) => void) =>
        listen({ ...connection, query_timeout: 0 }, channel, heard),
      close: () => pool.end(),
    },
  )
}

const gathering = new WeakSet<Duplex>()

/** What is sent in one turn of the event loop leaves in one piece: a system call for each statement cost a tenth of the CPU. */
function gather(client: pg.PoolClient): void {
  const { stream } = (client as unknown as { connection: { stream: Duplex } }).connection
  if (gathering.has(stream)) return
  gathering.add(stream)
  stream.cork()
  process.nextTick(() => {
    gathering.delete(stream)
    stream.uncork()
  })
}

/** Commits, and throws if Postgres rolled back instead, as it silently does after a failed statement. */
export async function commit(session: Sql): Promise<void> {
  const { command } = await session`commit`
  if (command !== 'COMMIT') throw new Error('the transaction was rolled back: one of its statements had failed')
}

/**
 * A handle on `sql` that can be taken back: whoever still holds it afterwards (a handler past its deadline) can't write into somebody else's
 * transaction. `first` is called before its first statement.
 */
export function revocable(sql: Sql, first = () => {}): { tx: Sql; revoke(): void } {
  let open = true
  let used = false
  const guard =
    <Arguments extends unknown[], Result>(run: (...values: Arguments) => Promise<Result>) =>
    (...values: Arguments): Promise<Result> => {
      if (!open) return Promise.reject(new Error('this transaction is over'))
      if (!used) {
        used = true
        first()
      }
      return run(...values)
    }
  const tx = Object.assign(guard(sql as (...values: never[]) => Promise<unknown>), { text: guard(sql.text as never) })
  return { tx: tx as unknown as Sql, revoke: () => void (open = false) }
}

/**
 * Is the database out of reach or out of room, rather than the statement wrong? Then nobody's data is to blame and the same work is
 * tried again later: connection loss, shutdown, no resources, lock and statement timeouts, deadlocks (SQLSTATE classes 08, 53, 57, 58, 40, 55P03, 25P03/4).
 */
export function isInfrastructure(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const code = (error as { code?: unknown }).code
  if (typeof code === 'string')
    return /^(08|53|57|58|40|55P03|25P0[34]|ECONN|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_AGAIN|EHOST|ENET)/.test(code)
  return /Connection terminated|Query read timeout|not queryable|timeout exceeded when trying to connect|connection error/i.test(
    error.message,
  )
}

/** Did the statement wait for a lock that somebody else holds, for too long? */
export const isLockTimeout = (error: unknown): boolean => (error as { code?: unknown } | undefined)?.code === '55P03'

/** Did the connection itself break, so that what was sent last may or may not have happened? */
export function isConnectionLoss(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const code = (error as { code?: unknown }).code
  if (typeof code === 'string')
    return /^(08|57P0|25P0[34]|ECONN|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_AGAIN|EHOST|ENET)/.test(code)
  return /Connection terminated|Query read timeout|not queryable|timeout exceeded when trying to connect|connection error/i.test(
    error.message,
  )
}

type Run = (config: pg.QueryConfig) => Promise<pg.QueryResult>

const prepared = new WeakMap<TemplateStringsArray, { text: string; name: string }>()

function statements(run: Run): Sql {
  const rows = async (config: pg.QueryConfig) => {
    const outcome = await run(config)
    const result = Array.isArray(outcome) ? (outcome.at(-1) as pg.QueryResult) : outcome // a schema file is many statements
    // biome-ignore lint/suspicious/noExplicitAny: the caller names the row's shape
    return Object.defineProperties(result.rows as any[], {
      count: { value: result.rowCount ?? 0 },
      command: { value: result.command },
    })
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
    let listening = false
    let ended = false
    next.on('notification', (message) => heard(message.payload ?? ''))
    next.on('error', () => {})
    next.on('end', () => {
      ended = true
      if (listening && !stopped) void again() // one that never came about is tried again by its own loop
    })
    try {
      await next.connect()
      await next.query({ text: `listen ${next.escapeIdentifier(channel)}`, query_timeout: 5_000 } as pg.QueryConfig)
      if (ended) throw new Error('Connection terminated unexpectedly')
      listening = true
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
  await connect().catch(() => void again())
  return async () => {
    stopped = true
    await client?.end()
  }
}
