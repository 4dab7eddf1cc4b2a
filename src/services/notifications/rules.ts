/** What customers want to be told by mail: kept as their events tell it, asked by every mail to one. */
import type { Sql } from '../../engine/database.ts'
import type { LoggedEvent } from '../../engine/event.ts'
import type { Customer, Preferences } from '../customers/events.ts'

/** Told unless somebody said no: what happens to an order one has placed. Everything else only when asked for. */
const toldByDefault: ReadonlySet<string> = new Set(['order_status'])

/** A topic without a list of channels was never decided; an empty list says none. */
export function wantsByEmail({ channels }: Pick<Preferences, 'channels'>, topic: string): boolean {
  const chosen = Object.hasOwn(channels, topic) ? channels[topic] : undefined
  return chosen === undefined ? toldByDefault.has(topic) : chosen.includes('email')
}

/** Keeps the rule, and takes out of the outbox what is no longer wanted (E, Customer Preferences Synchronization). */
export async function updateRule({ version, data }: LoggedEvent, tx: Sql): Promise<void> {
  const { id, status, preferences } = data.customer as Customer
  const byEmail = Object.fromEntries(
    Object.entries(preferences.channels).map(([topic, channels]) => [topic, channels.includes('email')]),
  )
  await Promise.all([
    tx`
      insert into notifications.rules as r (customer_id, version, by_email, locale, erased)
      values (${id}, ${version}, ${JSON.stringify(byEmail)}::json, ${preferences.locale}, ${status === 'erased'})
      on conflict (customer_id) do update
         set version = excluded.version, by_email = excluded.by_email, locale = excluded.locale, erased = excluded.erased
       where excluded.version > r.version`,
    tx`
      update notifications.mails
         set state = 'dropped', lease_until = null,
             error = case when ${status === 'erased'} then 'the customer was erased' else 'the customer does not want ' || topic || ' by e-mail' end
       where customer_id = ${id} and state in ('queued', 'deferred', 'unsent')
         and (${status === 'erased'} or (${JSON.stringify(byEmail)}::jsonb -> topic) = 'false')`,
  ])
}

/** As far as events have told: a customer of whom there was none is asked at the source when a mail goes out. */
export async function mayBeTold(tx: Sql, customerId: string, topic: string): Promise<boolean> {
  const [rule] = await tx<{ wanted: boolean | null; erased: boolean }>`
    select (by_email ->> ${topic})::boolean as wanted, erased from notifications.rules where customer_id = ${customerId}`
  if (rule?.erased) return false
  return rule?.wanted ?? toldByDefault.has(topic)
}
