/** `/notifications`: the outbox, what admins were told of stock, and the templates, for ADMIN; the link in mails, for whoever has it. */
import { z } from 'zod'
import type { Database } from '../../engine/database.ts'
import { type App, limitQuery, notFound, pageOf, pageSchema, placeIn } from '../../engine/http.ts'
import { identifier, plainText } from '../../engine/text.ts'
import { type Reveal, renderMail } from './mail.ts'
import { discardMail, type KeptMail, listAlerts, listMails, type MailFilter, readMail, retryMail } from './read.ts'
import { samples } from './samples.ts'
import type { NotificationSettings } from './settings.ts'
import { templates } from './templates.ts'
import { type Decline, unsubscribeRoutes } from './unsubscribe.ts'

const states = [
  'unsent',
  'queued',
  'sending',
  'deferred',
  'unknown',
  'sent',
  'failed',
  'dropped',
  'discarded',
] as const satisfies MailFilter['state'][]

const mail = z.object({
  id: z.string(),
  template: z.string(),
  to: z.enum(['admin', 'customer']),
  customerId: z.string().nullable(),
  topic: z.string().nullable(),
  state: z.enum(states),
  queuedAt: z.string(),
  dueAt: z.string(),
  attempts: z.int(),
  possiblyTwice: z.boolean(),
  sentAt: z.string().nullable(),
  response: z.string().nullable(),
  error: z.string().nullable(),
})
const rendered = { locale: z.string(), subject: z.string(), text: z.string(), html: z.string() }

const alert = z.object({
  eventId: z.string(),
  position: z.int(),
  type: z.string(),
  productId: z.string(),
  title: z.string().nullable(),
  sku: z.string(),
  available: z.int(),
  threshold: z.int(),
  trigger: z.string(),
  at: z.string(),
  mailId: z.string().nullable(),
})

const view = ({ data: _, token: __, ...kept }: KeptMail): z.infer<typeof mail> => ({
  ...kept,
  to: kept.customerId === null ? 'admin' : 'customer',
  queuedAt: kept.queuedAt.toISOString(),
  dueAt: kept.dueAt.toISOString(),
  sentAt: kept.sentAt?.toISOString() ?? null,
})

const tags = ['notifications']
const config = { roles: ['ADMIN'] }
const params = z.strictObject({ id: z.uuid({ error: 'must be the id of a notification' }) })

export function notificationRoutes(
  app: App,
  db: Database,
  settings: NotificationSettings,
  { reveal, decline }: { reveal: Reveal; decline: Decline },
): void {
  outbox(app, db, settings, reveal)
  previews(app)
  unsubscribeRoutes(app, db, decline)
}

function outbox(app: App, db: Database, settings: NotificationSettings, reveal: Reveal): void {
  app.get(
    '/notifications',
    {
      schema: {
        querystring: z.strictObject({
          ...limitQuery(),
          state: z.enum(states, `must be one of ${states.join(', ')}`).optional(),
          template: plainText(100).optional(),
          customerId: identifier.optional(),
        }),
        response: { 200: pageSchema(mail) },
        summary: 'The outbox: every mail and what became of it, the newest first',
        tags,
      },
      config,
    },
    async ({ query: { limit, cursor, ...filter } }) => {
      const before = placeIn(cursor, z.uuid())
      const { items, ...rest } = pageOf(await listMails(db, filter, before, limit + 1), limit, (last) => last.id)
      return { items: items.map(view), ...rest }
    },
  )

  app.get(
    '/notifications/stock-alerts',
    {
      schema: {
        querystring: z.strictObject(limitQuery()),
        response: { 200: pageSchema(alert) },
        summary: 'Each time a stock became low or ran out, and the mail that told of it; the newest first',
        tags,
      },
      config,
    },
    async ({ query: { limit, cursor } }) => {
      const before = placeIn(cursor, z.int().min(1)) ?? Number.MAX_SAFE_INTEGER
      const rows = (await listAlerts(db, before, limit + 1)).map((row) => ({ ...row, at: row.at.toISOString() }))
      return pageOf(rows, limit, (last) => last.position)
    },
  )

  app.get(
    '/notifications/:id',
    {
      schema: {
        params,
        response: { 200: mail.extend({ ...rendered, address: z.string().nullable() }) },
        summary: 'A mail with its text, as it would be sent now; without its customer once that was erased',
        tags,
      },
      config,
    },
    async (request) => {
      const kept = await readMail(db, request.params.id)
      const { to: address, ...text } = await renderMail(kept, { db, settings, reveal })
      return { ...view(kept), ...text, address }
    },
  )

  const decision = { params, body: z.strictObject({}).nullish(), response: { 200: mail }, tags }
  app.post(
    '/notifications/:id/retry',
    { schema: { ...decision, summary: 'Put a mail that has not gone out back into the queue' }, config },
    async (request) => view(await retryMail(db, request.params.id)),
  )
  app.post(
    '/notifications/:id/discard',
    { schema: { ...decision, summary: 'Put a mail aside: it is not sent' }, config },
    async (request) => view(await discardMail(db, request.params.id)),
  )
}

function previews(app: App): void {
  app.get(
    '/notifications/templates',
    {
      schema: {
        response: { 200: z.object({ items: z.array(z.object({ name: z.string(), languages: z.array(z.string()) })) }) },
        summary: 'The templates of mails, and their languages',
        tags,
      },
      config,
    },
    async () => ({
      items: templates.names().map((name) => ({ name, languages: templates.languagesOf(name) })),
    }),
  )

  app.get(
    '/notifications/templates/:name/preview',
    {
      schema: {
        params: z.strictObject({ name: plainText(100) }),
        querystring: z.strictObject({
          locale: plainText(35).optional(),
          format: z.enum(['html', 'text', 'json'], 'must be html, text or json').default('html'),
        }),
        summary: 'A template with made-up data, as a page, as text, or both with the subject as JSON',
        tags,
      },
      config,
    },
    async ({ params: { name }, query: { locale, format } }, reply) => {
      const sample = Object.hasOwn(samples, name) ? samples[name] : undefined
      if (!sample || !templates.names().includes(name)) throw notFound('template', name)
      const preview = templates.render(name, locale ?? null, sample)
      if (format === 'json') return preview
      // A mail brings its styles along; nothing else of it may be loaded or run.
      return reply
        .header('content-security-policy', "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'")
        .type(format === 'html' ? 'text/html; charset=utf-8' : 'text/plain; charset=utf-8')
        .send(preview[format])
    },
  )
}
