/** `GET /shop`: a page to look at the shop with, in the visitor's language. It needs nothing from elsewhere. */
import { readFileSync } from 'node:fs'
import type { FastifySchema } from 'fastify'
import { z } from 'zod'
import type { App } from '../../engine/http.ts'
import { filled } from './messages.ts'
import { localeQuery } from './routes.ts'
import type { Storefront } from './storefront.ts'

const FOLDER = new URL('./page/', import.meta.url)
const FILES = {
  'shop.css': 'text/css',
  'shop.js': 'text/javascript',
  'wording.js': 'text/javascript',
  'icon.svg': 'image/svg+xml',
} as const

/** Pictures may be wherever the catalog says they are; everything else comes from here. */
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: https: http:; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

export function shopRoutes(app: App, storefront: Storefront): void {
  const schema = { hide: true, querystring: z.object({ ...localeQuery, q: z.string().max(200).optional() }) }
  const html = readFileSync(new URL('shop.html', FOLDER), 'utf8')
  app.get('/shop', { schema: schema as FastifySchema }, async (request, reply) => {
    const { locale } = request.query as { locale?: string }
    const language = storefront.language(locale ?? request.headers['accept-language'])
    const { page } = language.messages
    const words = escaped(JSON.stringify({ locale: language.locale, ...page }))
    return reply
      .type('text/html; charset=utf-8')
      .header('content-security-policy', POLICY)
      .header('referrer-policy', 'same-origin')
      .header('content-language', language.locale)
      .header('vary', 'Accept-Language')
      .header('cache-control', 'no-cache')
      .serializer(String)
      .send(filled(html.replace('lang="en"', `lang="${language.locale}"`), { words, ...texts(page) }))
  })
  for (const [name, type] of Object.entries(FILES)) {
    const content = readFileSync(new URL(name, FOLDER), 'utf8')
    app.get(`/shop/${name}`, { schema: { hide: true } as FastifySchema }, async (_request, reply) =>
      reply.type(`${type}; charset=utf-8`).header('cache-control', 'no-cache').serializer(String).send(content),
    )
  }
}

/** As it may stand in HTML. */
const escaped = (text: string) => text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`)

const texts = (messages: object) =>
  Object.fromEntries(
    Object.entries(messages).flatMap(([name, text]) => (typeof text === 'string' ? [[name, escaped(text)]] : [])),
  )
