/**
 * Statements on their way over one connection. Those issued in one turn of the event loop leave together and end in one sync, so that Postgres
 * answers them in one piece; a sync, a flush and a packet for each of them was a quarter of the work on both sides. What a statement's rows look
 * like is asked once a connection.
 */
import type { Duplex } from 'node:stream'
import pg from 'pg'

/** The rows, how many rows the statement touched, and what Postgres says it did (`COMMIT`, `ROLLBACK`, `UPDATE` …). */
export type Rows<Row> = Row[] & { count: number; command: string }

// biome-ignore lint/suspicious/noExplicitAny: a row has the shape its statement gives it
type AnyRows = Rows<any>
type Parameter = string | Buffer | null
interface Column {
  name: string
  parse(text: string): unknown
}

/** A text as this connection's server knows it. After an error it is in doubt whether the server got to it. */
interface Prepared {
  name: string
  state: 'new' | 'sent' | 'in doubt'
  columns?: Column[]
}

/** What `pg` has on the wire. */
interface Wire {
  stream: Duplex
  parse(message: { text: string; name: string }): void
  bind(message: { statement: string; values: Parameter[] }): void
  describe(message: { type: 'P' }): void
  execute(message: object): void
  close(message: { type: 'S'; name: string }): void
  sync(): void
}

interface Statement {
  text: string
  prepared: Prepared | undefined
  values: Parameter[]
  rows: AnyRows
  columns: Column[] | undefined
  /** A value that its parser could not read. */
  unread: unknown
  resolve(rows: AnyRows): void
  reject(error: unknown): void
}

export class Pipeline {
  readonly #client: pg.PoolClient
  readonly #types: pg.CustomTypesConfig
  readonly #prepared = new Map<string, Prepared>()
  #group: Group | undefined
  #inTransaction = false

  constructor(client: pg.PoolClient, types: pg.CustomTypesConfig) {
    this.#client = client
    this.#types = types
  }

  /** Runs one statement with bound values, prepared under its name if it has one. */
  run({ text, name, values }: { text: string; name?: string; values: unknown[] }): Promise<AnyRows> {
    return new Promise((resolve, reject) => {
      const parameters = values.map(parameter) // throws here, before anything is sent
      const group = (this.#group ??= this.#open())
      if (text === 'begin') this.#inTransaction = group.early = true
      else if (text === 'commit' || text === 'rollback') this.#inTransaction = false
      const rows = Object.defineProperties([], {
        count: { value: 0, writable: true },
        command: { value: '', writable: true },
      }) as unknown as AnyRows
      const prepared = name === undefined ? undefined : this.#preparedAs(name)
      group.statements.push({
        text,
        prepared,
        values: parameters,
        rows,
        columns: undefined,
        unread: undefined,
        resolve,
        reject,
      })
    })
  }

  /** Runs a text of one or more statements without values. */
  async script(text: string): Promise<AnyRows> {
    this.#send()
    const outcome = await this.#client.query({ text })
    const result = Array.isArray(outcome) ? (outcome.at(-1) as pg.QueryResult) : outcome
    return Object.defineProperties(result.rows, {
      count: { value: result.rowCount ?? 0 },
      command: { value: result.command },
    }) as unknown as AnyRows
  }

  /** What was issued so far leaves now and is answered by itself, whatever else this turn does. */
  flush(): void {
    this.#send()
  }

  #open(): Group {
    process.nextTick(() => this.#send())
    return new Group(this.#types, this.#inTransaction)
  }

  #send() {
    const group = this.#group
    if (!group) return
    this.#group = undefined
    this.#client.query(group as unknown as pg.Query)
  }

  #preparedAs(name: string): Prepared {
    let prepared = this.#prepared.get(name)
    if (!prepared) this.#prepared.set(name, (prepared = { name, state: 'new' }))
    return prepared
  }
}

/** To `pg` a query like any other: it is what stands between two syncs. */
const Query = pg.Query as unknown as new (config: { text: string }) => { callback?: (error: unknown) => void }

class Group extends Query {
  readonly statements: Statement[] = []
  /** Inside a transaction a statement is told as soon as it is done; outside of one, when the sync has committed it. */
  early: boolean
  readonly #types: pg.CustomTypesConfig
  readonly #done: Statement[] = []
  #next = 0

  constructor(types: pg.CustomTypesConfig, early: boolean) {
    super({ text: '' })
    this.#types = types
    this.early = early
  }

  submit(wire: Wire): void {
    wire.stream.cork()
    for (const { text, prepared, values } of this.statements) {
      const name = prepared?.name ?? ''
      if (prepared?.state === 'in doubt') wire.close({ type: 'S', name })
      if (prepared?.state !== 'sent') wire.parse({ text, name })
      if (prepared) prepared.state = 'sent'
      wire.bind({ statement: name, values })
      if (!prepared?.columns) wire.describe({ type: 'P' })
      wire.execute({})
    }
    wire.sync()
    wire.stream.uncork()
  }

  handleRowDescription({ fields }: { fields: { name: string; dataTypeID: number }[] }): void {
    const statement = this.#current
    statement.columns = fields.map(({ name, dataTypeID }) => ({ name, parse: this.#types.getTypeParser(dataTypeID) }))
    if (statement.prepared) statement.prepared.columns = statement.columns
  }

  handleDataRow({ fields }: { fields: (string | null)[] }): void {
    const statement = this.#current
    const columns = (statement.columns ??= statement.prepared?.columns ?? [])
    const row: Record<string, unknown> = {}
    try {
      for (let n = 0; n < columns.length; n++) {
        const { name, parse } = columns[n] as Column
        const value = fields[n] as string | null
        row[name] = value === null ? null : parse(value)
      }
      statement.rows.push(row)
    } catch (error) {
      statement.unread = error
    }
  }

  handleCommandComplete({ text }: { text: string }): void {
    const { rows } = this.#current
    const [command = ''] = text.split(' ', 1)
    rows.command = command
    rows.count = Number(text.slice(text.lastIndexOf(' ') + 1)) || 0
    this.#finish()
  }

  handleEmptyQuery(): void {
    this.#finish()
  }

  /** Postgres skips to the sync: what followed in this group was not carried out, and outside of a transaction what came before is undone. */
  handleError(error: unknown): void {
    const failed = this.statements[this.#next]?.prepared
    if (failed) delete failed.columns // a table may have changed what the statement gives
    for (const { prepared } of this.statements.slice(this.#next))
      if (prepared && !prepared.columns) prepared.state = 'in doubt'
    for (const { reject } of [...this.#done.splice(0), ...this.statements.slice(this.#next)]) reject(error)
    this.#next = this.statements.length
    this.callback?.(error)
  }

  handleReadyForQuery(): void {
    this.#settle()
    this.callback?.(null)
  }

  get #current(): Statement {
    return this.statements[this.#next] as Statement
  }

  #finish() {
    const statement = this.#current
    this.#next++
    if (statement.prepared) statement.prepared.columns ??= statement.columns ?? []
    this.#done.push(statement)
    if (this.early) this.#settle()
  }

  #settle() {
    for (const { rows, unread, resolve, reject } of this.#done.splice(0)) {
      if (unread === undefined) resolve(rows)
      else reject(unread)
    }
  }
}

/** A value as Postgres reads it: dates in UTC, arrays as array literals, objects as JSON. */
function parameter(value: unknown): Parameter {
  if (value === null || value === undefined) return null
  if (typeof value === 'string') return value
  if (typeof value !== 'object') return String(value)
  if (Buffer.isBuffer(value)) return value
  if (value instanceof Date) return value.toISOString()
  if (Array.isArray(value)) return literal(value)
  return JSON.stringify(value)
}

function literal(list: unknown[]): string {
  let text = '{'
  for (let n = 0; n < list.length; n++) {
    const item = list[n]
    if (n > 0) text += ','
    if (item === null || item === undefined) text += 'NULL'
    else if (typeof item === 'number' || typeof item === 'boolean' || typeof item === 'bigint') text += item
    else if (Array.isArray(item)) text += literal(item)
    else text += quoted(Buffer.isBuffer(item) ? `\\x${item.toString('hex')}` : (parameter(item) as string))
  }
  return `${text}}`
}

const special = /["\\]/
const quoted = (text: string) => `"${special.test(text) ? text.replace(/["\\]/g, '\\$&') : text}"`
