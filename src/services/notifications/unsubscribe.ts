/** The link at the foot of a customer's mail, and behind the button that mail programs show (RFC 8058): no more of this kind. */
import type { FastifyReply } from 'fastify'
import { z } from 'zod'
import type { Database } from '../../engine/database.ts'
import { type App, notFound } from '../../engine/http.ts'
import { templates } from './templates.ts'

/** Makes it the customer's wish; false when there is nobody left to have one. */
export type Decline = (customerId: string, topic: string) => Promise<boolean>

const params = z.strictObject({ token: z.uuid({ error: 'must be as the mail has it' }) })
const tags = ['notifications']
/** Programs that check links, and those that count clicks, add parameters of their own. */
const config = { anyQuery: true }

export const unsubscribeUrl = (publicUrl: string, token: string) =>
  `${publicUrl.replace(/\/+$/, '')}/v1/notifications/unsubscribe/${token}`

export function unsubscribeRoutes(app: App, db: Database, decline: Decline): void {
  // Opening the link changes nothing: programs that look whether links are safe open them all.
  app.get(
    '/notifications/unsubscribe/:token',
    { schema: { params, summary: 'Asks whether the customer of a mail wants no more of its kind', tags }, config },
    async ({ params: { token } }, reply) => {
      const { language } = await mailBehind(db, token)
      return page(reply, language, false)
    },
  )

  // Mail programs send a form, and nothing in it matters.
  app.register(async (forms: App) => {
    const form = ['application/x-www-form-urlencoded', 'multipart/form-data']
    forms.addContentTypeParser(form, { bodyLimit: 10_000, parseAs: 'string' }, (_request, _body, done) =>
      done(null, null),
    )
    forms.post(
      '/notifications/unsubscribe/:token',
      { schema: { params, summary: 'The customer of a mail wants no more of its kind by e-mail', tags }, config },
      async ({ params: { token } }, reply) => {
        const { customerId, topic, language } = await mailBehind(db, token)
        await decline(customerId, topic)
        return page(reply, language, true)
      },
    )
  })
}

async function mailBehind(db: Database, token: string) {
  const [mail] = await db<{ customerId: string; topic: string; language: string | null }>`
    select m.customer_id as "customerId", m.topic, r.locale as language
      from notifications.mails m
      left join notifications.rules r on r.customer_id = m.customer_id
     where m.token = ${token} and m.customer_id is not null`
  if (!mail) throw notFound('mail', token)
  return mail
}

const page = (reply: FastifyReply, language: string | null, done: boolean) =>
  reply
    .header(
      'content-security-policy',
      "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'",
    )
    .header('cache-control', 'no-store')
    .header('referrer-policy', 'no-referrer')
    .type('text/html; charset=utf-8')
    .send(templates.page('unsubscribe', language, { done }))
