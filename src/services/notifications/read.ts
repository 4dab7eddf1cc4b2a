/** What can be read of the outbox, and what a person can decide about a mail in it. */
import type { Database, Sql } from '../../engine/database.ts'
import { Rejected } from '../../engine/decider.ts'
import { notFound } from '../../engine/http.ts'
import type { Claim, MailState } from './outbox.ts'

export interface KeptMail
  extends Pick<Claim, 'id' | 'template' | 'customerId' | 'topic' | 'data' | 'token' | 'queuedAt'> {
  state: MailState
  dueAt: Date
  attempts: number
  possiblyTwice: boolean
  sentAt: Date | null
  response: string | null
  error: string | null
}

export interface MailFilter {
  state?: MailState | undefined
  template?: string | undefined
  customerId?: string | undefined
}

const columns = `
  id, template, customer_id as "customerId", topic, data, token, state, queued_at as "queuedAt", due_at as "dueAt", attempts,
  possibly_twice as "possiblyTwice", sent_at as "sentAt", response, error`

const keptMail = (row: Omit<KeptMail, 'data'> & { data: string }): KeptMail => ({ ...row, data: JSON.parse(row.data) })

/** The newest first, from before an id. */
export async function listMails(
  db: Sql,
  { state, template, customerId }: MailFilter,
  before: string | undefined,
  limit: number,
): Promise<KeptMail[]> {
  const values: unknown[] = []
  const conditions = [
    ['state =', state],
    ['template =', template],
    ['customer_id =', customerId],
    ['id <', before],
  ].flatMap(([condition, value]) => (value === undefined ? [] : [`${condition} $${values.push(value)}`]))
  const where = conditions.length === 0 ? '' : `where ${conditions.join(' and ')}`
  const rows = await db.text(
    `select ${columns} from notifications.mails ${where} order by id desc limit ${Math.trunc(limit)}`,
    values,
  )
  return rows.map(keptMail)
}

export async function readMail(db: Sql, id: string): Promise<KeptMail> {
  const [row] = await db.text(`select ${columns} from notifications.mails where id = $1`, [id])
  if (!row) throw notFound('notification', id)
  return keptMail(row)
}

/** Back into the queue, at once. Also what was sent well: not, since that would be twice. Throws `not-to-be-retried`. */
export const retryMail = (db: Database, id: string): Promise<KeptMail> =>
  decide(db, id, ['unsent', 'failed', 'deferred', 'unknown', 'discarded', 'dropped'], 'queued', 'not-to-be-retried')

/** Never to be sent, unless somebody retries it. Throws `not-to-be-discarded`. */
export const discardMail = (db: Database, id: string): Promise<KeptMail> =>
  decide(db, id, ['unsent', 'queued', 'failed', 'deferred', 'unknown', 'discarded'], 'discarded', 'not-to-be-discarded')

async function decide(db: Database, id: string, from: MailState[], to: 'queued' | 'discarded', refusal: string) {
  const { count } = await db`
    update notifications.mails
       set state = ${to}, error = null, lease_until = null,
           possibly_twice = possibly_twice or state = 'unknown',
           queued_at = case when ${to} = 'queued' then clock_timestamp() else queued_at end,
           due_at    = case when ${to} = 'queued' then clock_timestamp() else due_at end
     where id = ${id} and state = any(${from}::text[])`
  const mail = await readMail(db, id)
  if (count === 0) throw new Rejected(refusal, { id, state: mail.state }, `the mail is ${mail.state}`)
  return mail
}

export interface StockAlert {
  eventId: string
  position: number
  type: string
  productId: string
  /** When it crossed; null where no event had told of the product. */
  title: string | null
  sku: string
  available: number
  threshold: number
  trigger: string
  at: Date
  mailId: string | null
}

/** The newest first. */
export const listAlerts = (db: Sql, before: number, limit: number): Promise<StockAlert[]> =>
  db<StockAlert>`
    select event_id as "eventId", position, type, product_id as "productId", title, sku, available, threshold, trigger, at, mail_id as "mailId"
      from notifications.sent
     where position < ${before}
     order by position desc
     limit ${limit}`
