/** `/sitemap.xml`, its files, and `/robots.txt`: what search engines ask for first. */
import { Readable } from 'node:stream'
import { createGzip, gzipSync } from 'node:zlib'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import type { Database } from '../../engine/database.ts'
import { type App, notFound } from '../../engine/http.ts'
import type { Shop } from './page.ts'
import { fileOf, filesOf, fileXml, indexEtag, indexXml } from './sitemap.ts'

const tags = ['seo']
const xml = 'application/xml; charset=utf-8'
/** Crawlers come with parameters of their own. */
const config = { anyQuery: true }

export function sitemapRoutes(app: App, db: Database, shop: Shop): void {
  app.get(
    '/sitemap.xml',
    {
      schema: { summary: 'The index of the sitemap', tags, response: { 200: z.string(), 304: z.undefined() } },
      config,
    },
    async (request, reply) => {
      const files = await filesOf(db)
      if (known(request, reply, indexEtag(files))) return reply.code(304).send()
      const text = indexXml(files, shop)
      return reply.type(xml).send(zipped(request, reply) ? (gzipSync(text) as never) : text)
    },
  )

  app.get(
    '/sitemaps/:file',
    {
      schema: {
        summary: 'A file of the sitemap, as its index names it',
        tags,
        params: z.strictObject({
          file: z.string().regex(/^products-\d{1,5}-of-\d{1,5}\.xml$/, 'must be as /sitemap.xml names it'),
        }),
        response: { 200: z.string(), 304: z.undefined() },
      },
      config,
    },
    async (request, reply) => {
      const [n = 0, of = 0] = (request.params.file.match(/\d+/g) ?? []).map(Number)
      const file = await fileOf(db, n, of)
      if (!file) throw notFound('file of the sitemap', request.params.file)
      if (known(request, reply, file.etag)) return reply.code(304).send()
      const text = Readable.from(fileXml(db, file, shop))
      return reply.type(xml).send((zipped(request, reply) ? text.pipe(createGzip()) : text) as never)
    },
  )

  app.get(
    '/robots.txt',
    { schema: { summary: 'What robots may read', tags, response: { 200: z.string() } }, config },
    async (_request, reply) =>
      reply.type('text/plain; charset=utf-8').send(`User-agent: *\nAllow: /\nSitemap: ${shop.url}/sitemap.xml\n`),
  )
}

/** Has the caller this already? */
function known(request: FastifyRequest, reply: FastifyReply, etag: string): boolean {
  reply.header('etag', etag).header('cache-control', 'no-cache').header('vary', 'accept-encoding')
  const given = request.headers['if-none-match'] ?? ''
  return given.split(',').some((one) => one.trim().replace(/^W\//, '') === etag)
}

function zipped(request: FastifyRequest, reply: FastifyReply): boolean {
  const wanted = /\bgzip\b(?!\s*;\s*q=0(?:\.0+)?(?:,|$))/.test(String(request.headers['accept-encoding'] ?? ''))
  if (wanted) reply.header('content-encoding', 'gzip')
  return wanted
}
