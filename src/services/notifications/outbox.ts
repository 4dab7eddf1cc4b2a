/** The outbox: mails as rows, claimed by whoever sends them, and what became of them. */
import { numbers } from '../../engine/columns.ts'
import type { Sql } from '../../engine/database.ts'
import type { Data } from '../../engine/event.ts'
import type { NotificationSettings } from './settings.ts'

export type MailState =
  /** Kept to be read: there is no mail server, or nobody to send it to. */
  | 'unsent'
  | 'queued'
  | 'sending'
  /** The server said: later. */
  | 'deferred'
  /** It was handed over and no answer came: it is sent again with the same Message-ID. */
  | 'unknown'
  | 'sent'
  /** Refused for good, or put off for too long. */
  | 'failed'
  /** Its customer is gone or no longer wants it. */
  | 'dropped'
  /** Put aside by hand. */
  | 'discarded'

export interface NewMail {
  /** The event's id. */
  id: string
  template: string
  /** Null for the admin. */
  customerId: string | null
  /** What of a customer's preferences decides. */
  topic: string | null
  thread: string | null
  data: Data
  /** Milliseconds until it may go out. */
  inMs?: number
}

/** What a sender holds of a mail: good for one attempt, as long as nobody claimed it anew. */
export interface Claim {
  id: string
  epoch: number
  template: string
  customerId: string | null
  topic: string | null
  data: Data
  /** For the link that declines the topic. */
  token: string
  attempts: number
  ageMs: number
  queuedAt: Date
}

/** Once only: a mail that is there already stays as it is. */
export async function putInOutbox(tx: Sql, mail: NewMail, state: 'queued' | 'unsent'): Promise<void> {
  await tx`
    insert into notifications.mails (id, template, customer_id, topic, thread, data, state, due_at)
    values (${mail.id}, ${mail.template}, ${mail.customerId}, ${mail.topic}, ${mail.thread}, ${JSON.stringify(mail.data)}::json, ${state},
            clock_timestamp() + ${mail.inMs ?? 0} * interval '1 ms')
    on conflict do nothing`
}

/**
 * Ends the claims of those who went silent. Before the end of DATA no server has the mail, and it simply goes out again; after that it may have
 * arrived. Answers how many there were of the latter.
 */
export async function endSilentClaims(db: Sql, { unknownMs }: NotificationSettings): Promise<number> {
  const ended = await db<{ state: string }>`
    update notifications.mails
       set state  = case when handed_at is null then 'queued' else 'unknown' end,
           error  = case when handed_at is null then error else 'the sender ended before the mail server had answered' end,
           due_at = clock_timestamp() + case when handed_at is null then 0 else ${unknownMs} end * interval '1 ms',
           lease_until = null
     where state = 'sending' and lease_until < clock_timestamp()
    returning state`
  return ended.filter(({ state }) => state === 'unknown').length
}

/** Takes mails that are due, the oldest first; of a thread only the first that has not gone out. */
export async function claimMails(db: Sql, most: number, { leaseMs }: NotificationSettings): Promise<Claim[]> {
  const rows = await db`
    with due as (
      select id from notifications.mails m
       where state in ('queued', 'deferred', 'unknown') and due_at <= clock_timestamp()
         and (thread is null or not exists (
               select from notifications.mails earlier
                where earlier.thread = m.thread and earlier.id < m.id
                  and earlier.state in ('queued', 'deferred', 'unknown', 'sending')))
       order by due_at
       limit ${most}
         for update skip locked
    )
    update notifications.mails m
       set state = 'sending', epoch = m.epoch + 1, attempts = m.attempts + 1, handed_at = null,
           possibly_twice = m.possibly_twice or m.state = 'unknown',
           lease_until = clock_timestamp() + ${leaseMs} * interval '1 ms'
      from due
     where m.id = due.id
    returning m.id, m.epoch, m.template, m.customer_id as "customerId", m.topic, m.data, m.token, m.attempts, m.queued_at as "queuedAt",
              (extract(epoch from clock_timestamp() - m.queued_at) * 1000)::float8 as "ageMs"`
  return rows.map((row) => ({ ...row, data: JSON.parse(row.data) }))
}

export const renewClaims = (db: Sql, claims: readonly Claim[], { leaseMs }: NotificationSettings) =>
  db`
    update notifications.mails m
       set lease_until = clock_timestamp() + ${leaseMs} * interval '1 ms'
      from unnest(${claims.map(({ id }) => id)}::uuid[], ${numbers(claims.map(({ epoch }) => epoch))}::bigint[]) as held (id, epoch)
     where m.id = held.id and m.epoch = held.epoch and m.state = 'sending'`

/** Must be true before DATA is ended: from here on the mail may arrive. False when the claim is void, or the mail no longer to be sent. */
export async function handOver(db: Sql, { id, epoch }: Claim): Promise<boolean> {
  const { count } = await db`
    update notifications.mails set handed_at = clock_timestamp()
     where id = ${id} and epoch = ${epoch} and state = 'sending' and lease_until > clock_timestamp()`
  return count === 1
}

/** What became of an attempt. `away`: it never came to this mail, the server could not be reached; it is no attempt. */
export type Outcome =
  | { state: 'sent'; response: string }
  | { state: 'deferred' | 'unknown' | 'away'; error: string; retryInMs: number }
  | { state: 'failed' | 'dropped'; error: string }
  | { state: 'unsent'; error: string }

/**
 * Also when the claim had run out, unless somebody else has claimed the mail since: that it was sent is worth knowing. False if that is so.
 */
export async function settle(db: Sql, { id, epoch }: Claim, outcome: Outcome): Promise<boolean> {
  const away = outcome.state === 'away'
  const state = away ? 'deferred' : outcome.state
  const { count } = await db`
    update notifications.mails
       set state       = ${state},
           lease_until = null,
           attempts    = attempts - ${away ? 1 : 0},
           due_at      = clock_timestamp() + ${'retryInMs' in outcome ? outcome.retryInMs : 0} * interval '1 ms',
           sent_at     = case when ${state} = 'sent' then clock_timestamp() end,
           response    = ${'response' in outcome ? outcome.response : null},
           error       = ${'error' in outcome ? outcome.error : null}
     where id = ${id} and epoch = ${epoch} and state in ('sending', 'unknown', 'queued')`
  return count === 1
}
