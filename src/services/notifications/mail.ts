/** Makes of a row in the outbox a mail as it goes over the wire: whom to, in which language, with which headers. */
import MailComposer from 'nodemailer/lib/mail-composer'
import type { Sql } from '../../engine/database.ts'
import type { Person, Preferences } from '../customers/events.ts'
import type { Claim, Outcome } from './outbox.ts'
import { wantsByEmail } from './rules.ts'
import type { NotificationSettings } from './settings.ts'
import type { Message } from './smtp.ts'
import { alertsOf } from './stock-alerts.ts'
import { type Rendered, render } from './templates.ts'
import { unsubscribeUrl } from './unsubscribe.ts'

/** Who these customers are now; those who were erased are not in it. */
export type Reveal = (customerIds: readonly string[]) => Promise<Map<string, Person & { preferences: Preferences }>>

type Mail = Pick<Claim, 'id' | 'template' | 'customerId' | 'topic' | 'data' | 'token' | 'queuedAt'>
export type ComposeMail = (mail: Mail) => Promise<Message | Outcome>

interface Given {
  db: Sql
  settings: NotificationSettings
  reveal: Reveal
}

interface Recipient {
  name: string
  email: string
  locale: string | null
}

/** Composed from the row alone it is the same to the byte each time, so that a mail sent twice is one mail twice. */
export function composing(given: Given): ComposeMail {
  return async (mail) => {
    const recipient = await recipientOf(mail, given)
    if ('state' in recipient) return recipient
    const rendered = await renderFor(mail, recipient, given)
    return compose(mail, recipient, rendered, given.settings)
  }
}

/** As it would be sent now, for those who look at the outbox. */
export async function renderMail(mail: Mail, given: Given): Promise<Rendered & { to: string | null }> {
  const recipient = await recipientOf(mail, given)
  const known = 'state' in recipient ? { name: '—', email: null, locale: null } : recipient
  return { ...(await renderFor(mail, known, given)), to: known.email }
}

/** The last word on whether it is sent: what the customer wants now, not what they wanted when the event came. */
async function recipientOf({ customerId, topic }: Mail, { settings, reveal }: Given): Promise<Recipient | Outcome> {
  if (customerId === null) {
    if (settings.adminEmail !== undefined) return { name: '', email: settings.adminEmail, locale: null }
    return { state: 'unsent', error: 'LOCKSTEP_ADMIN_EMAIL is not set' }
  }
  const person = (await reveal([customerId])).get(customerId)
  if (!person) return { state: 'dropped', error: 'the customer is unknown or was erased' }
  if (!wantsByEmail(person.preferences, topic ?? ''))
    return { state: 'dropped', error: `the customer does not want ${topic} by e-mail` }
  return { name: person.name, email: person.email, locale: person.preferences.locale }
}

async function renderFor(
  mail: Mail,
  { name, locale }: Pick<Recipient, 'name' | 'locale'>,
  { db, settings }: Given,
): Promise<Rendered> {
  if (mail.template === 'stock-alert') return render(mail.template, locale, await alertsOf(db, mail.id))
  return render(mail.template, locale, { ...mail.data, customer: { name }, unsubscribeUrl: linkOf(mail, settings) })
}

const linkOf = ({ topic, token }: Mail, { publicUrl }: NotificationSettings) =>
  topic === null || publicUrl === undefined ? null : unsubscribeUrl(publicUrl, token)

async function compose(
  mail: Mail,
  recipient: Recipient,
  { locale, subject, text, html }: Rendered,
  settings: NotificationSettings,
): Promise<Message> {
  const { from } = settings
  const link = linkOf(mail, settings)
  const message = new MailComposer({
    from,
    to: { name: recipient.name, address: recipient.email },
    subject,
    messageId: messageId(mail.id, from),
    date: mail.queuedAt,
    text,
    html,
    baseBoundary: mail.id,
    disableFileAccess: true,
    disableUrlAccess: true,
    headers: {
      'Auto-Submitted': 'auto-generated',
      'Content-Language': locale,
      ...(link !== null && { 'List-Unsubscribe': `<${link}>`, 'List-Unsubscribe-Post': 'List-Unsubscribe=One-Click' }),
    },
  }).compile()
  const sender = message.getEnvelope().from
  if (!sender) throw new TypeError('LOCKSTEP_MAIL_FROM has no address')
  return { from: sender, to: recipient.email, bytes: await message.build() }
}

/** The same for every attempt, so that servers and clients can see that a mail which came twice is one. */
export const messageId = (id: string, from: string) => `<${id}@${/@([\w.-]+)>?\s*$/.exec(from)?.[1] ?? 'localhost'}>`
