/** The door to Postgres: a tagged template for statements, transactions, and a session that is one physical connection. */
import { createHash } from 'node:crypto'
import pg from 'pg'
import { Pipeline, type Rows } from './pipeline.ts'

export type { Rows }

/**
 * Runs statements: sql`select … where id = ${id}` prepares once per connection and binds the values; `sql.text` runs one that was
 * put together at run time (values still bound, planned for them), or without values a script of several. Statements issued without awaiting travel in one
 * round trip, in order; in a transaction those after one that failed fail with its error.
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
  /** What was issued so far leaves now and is answered by itself, whatever else this turn does. */
  flush(): void
  /** Returns the connection; pass the error that made it doubtful and it is destroyed instead. */
  release(error?: unknown): void
}

/** A pool of sessions on one database. Statements outside `begin` commit by themselves. */
export interface Database extends Sql {
  /** Commits when `work` resolves, rolls back when it rejects (with the same error). */
  begin<Result>(work: (tx: Sql) => Promise<Result>): Promise<Result>
  /** What `last` issues travels with the commit: if one of its statements fails there is none. */
  begin<Result, Last>(
    work: (tx: Sql) => Promise<Result>,
    last: (tx: Sql, result: Result) => Promise<Last>,
  ): Promise<[Result, Last]>
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
  /** Asked of each new connection before it is used; throws for a server that must not be, as if there were none. */
  confirm?: (sql: Sql) => Promise<void>
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
    confirm,
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
  const sqlOn = (client: pg.PoolClient): Sql => {
    const pipeline = pipelineOf(client)
    return statements(
      (statement) => pipeline.run(statement),
      (text) => pipeline.script(text),
    )
  }
  const verify = confirm && {
    verify: (client: pg.PoolClient, done: (error?: Error) => void) =>
      void confirm(sqlOn(client)).then(() => done(), done),
  }
  const pool = new pg.Pool({ ...connection, ...verify, max, idleTimeoutMillis: 60_000 })
  pool.on('error', () => {}) // an idle connection that breaks is simply replaced
  pool.on('connect', (client) => client.on('error', () => {})) // whoever uses it sees its own statement fail

  const reserve = async (): Promise<Session> => {
    const client = await pool.connect()
    const pipeline = pipelineOf(client)
    let cause: unknown
    // Of statements issued one after the other the later ones fail because an earlier one did: whoever hears of theirs first should learn why.
    const explain = (error: { code?: string }) => {
      if (!isAftermath(error)) cause = error
      throw cause ?? error
    }
    const session = statements(
      (statement) => pipeline.run(statement).catch(explain),
      (text) => pipeline.script(text).catch(explain),
    ) as Session
    Object.defineProperty(session, 'pid', { value: (client as unknown as { processID: number }).processID })
    session.flush = () => pipeline.flush()
    let released = false
    session.release = (error) => {
      if (released) return
      released = true
      client.release(error !== undefined)
    }
    return session
  }

  const alone = async (work: (pipeline: Pipeline) => Promise<Rows<unknown>>) => {
    const client = await pool.connect()
    try {
      const rows = await work(pipelineOf(client))
      client.release()
      return rows
    } catch (error) {
      client.release(true)
      throw error
    }
  }

  async function begin<Result>(
    work: (tx: Sql) => Promise<Result>,
    last?: (tx: Sql, result: Result) => Promise<unknown>,
  ): Promise<unknown> {
    const session = await reserve()
    const { tx, revoke } = revocable(session)
    try {
      const [, result] = await Promise.all([session`begin`, work(tx)])
      revoke()
      const outcomes = await Promise.allSettled([last?.(session, result), commit(session)])
      for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
      session.release()
      return last ? [result, (outcomes[0] as PromiseFulfilledResult<unknown>).value] : result
    } catch (error) {
      revoke()
      await session`rollback`.then(
        () => session.release(),
        (broken) => session.release(broken),
      )
      throw error
    }
  }

  return Object.assign(
    statements(
      (statement) => alone((pipeline) => pipeline.run(statement)),
      (text) => alone((pipeline) => pipeline.script(text)),
    ),
    {
      url,
      reserve,
      begin: begin as Database['begin'],
      listen: (channel: string, heard: (payload: string) => void) =>
        listen({ ...connection, query_timeout: 0 }, channel, heard),
      close: () => pool.end(),
    },
  )
}

const pipelines = new WeakMap<pg.PoolClient, Pipeline>()

function pipelineOf(client: pg.PoolClient): Pipeline {
  let pipeline = pipelines.get(client)
  if (!pipeline) pipelines.set(client, (pipeline = new Pipeline(client, types)))
  return pipeline
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

/** After an error Postgres refuses what follows in the transaction, and does not know the statements whose preparation it skipped. */
const isAftermath = ({ code }: { code?: string }) => code === '25P02' || code === '26000'

type Statement = Parameters<Pipeline['run']>[0]

const prepared = new WeakMap<TemplateStringsArray, Pick<Statement, 'text' | 'name'>>()
function statements(
  run: (statement: Statement) => Promise<Rows<unknown>>,
  script: (text: string) => Promise<Rows<unknown>>,
): Sql {
  const sql = (strings: TemplateStringsArray, ...values: unknown[]) => {
    let statement = prepared.get(strings)
    if (!statement) {
      const text = strings.reduce((left, right, n) => `${left}$${n}${right}`)
      prepared.set(strings, (statement = /^(begin|commit|rollback)$/.test(text) ? { text } : named(text)))
    }
    return run({ ...statement, values })
  }
  const text = (text: string, values: unknown[] = []) => (values.length === 0 ? script(text) : run({ text, values }))
  return Object.assign(sql, { text }) as Sql
}

const named = (text: string) => ({ text, name: createHash('sha1').update(text).digest('base64url') })

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
