/** A product's media over HTTP: what they have become, and putting uploads among them. */
import type { Readable } from 'node:stream'
import { z } from 'zod'
import type { Database } from '../../engine/database.ts'
import { Rejected } from '../../engine/decider.ts'
import { syncToken } from '../../engine/event.ts'
import type { CommandOptions } from '../../engine/executor.ts'
import { type App, commandOptions, notFound } from '../../engine/http.ts'
import { identifier, plainText } from '../../engine/text.ts'
import type { Media } from '../catalog/events.ts'
import type { Limits } from './content.ts'
import { asset } from './events.ts'
import type { MediaFiles } from './files.ts'
import { publicUrl } from './link.ts'
import { type Known, mediaOf, productOf, without } from './read.ts'
import { keepUpload } from './upload.ts'

/** The catalog's command: these are the product's media from now on. Answers the product's version. */
export type SetMedia = (productId: string, media: Media[], options: CommandOptions) => Promise<{ version: number }>

export interface RouteParts {
  db: Database
  files: MediaFiles
  limits: Limits
  setMedia: SetMedia
  /** Has the links looked at that led a product to something, however short ago that was. Answers how many. */
  refetch(productId: string): Promise<number>
}

const tags = ['media']
const admin = { roles: ['ADMIN'] }
const params = z.strictObject({ id: identifier })
export const contentHash = z.string().regex(/^[0-9a-f]{64}$/, 'must be a SHA-256 in hex, as `hash` says it')
/** As the catalog has it. */
const MOST = 250

const list = z.object({
  productId: z.string(),
  version: z.int(),
  media: z.array(
    z.object({
      source: z.string(),
      alt: z.string().optional(),
      state: z.enum(['pending', 'ready', 'failed']),
      attempts: z.int(),
      asset: asset.optional(),
      lookedAt: z.iso.datetime().optional(),
      failure: z.string().optional(),
    }),
  ),
})
const uploaded = z.object({
  productId: z.string(),
  version: z.int(),
  syncToken: z.string(),
  hash: z.string(),
  url: z.string(),
  contentType: z.string(),
  bytes: z.int(),
})

export function mediaRoutes(app: App, { db, files, limits, setMedia, refetch }: RouteParts): void {
  // A body of these types is a stream: it is never in memory as a whole.
  app.addContentTypeParser(/^(image|video)\/|^application\/octet-stream$/, (_request, body, done) => done(null, body))

  app.get(
    '/products/:id/media',
    { schema: { summary: 'What became of its media', tags, params, response: { 200: list } } },
    async (request) => {
      const { id } = request.params
      const { version, media } = await known(db, id)
      return { productId: id, version, media: await mediaOf(db, media) }
    },
  )

  app.post(
    '/products/:id/media',
    {
      schema: {
        summary: 'Upload an image or a video as the last of its media',
        description: 'The body is the file itself, as `image/…`, `video/…` or `application/octet-stream`.',
        tags,
        params,
        querystring: z.strictObject({ alt: plainText(500).optional() }),
        response: { 201: uploaded },
      },
      config: admin,
      // A video may take its time; whoever stalls is cut off by the connection's own limit.
      handlerTimeout: 120_000,
    },
    async (request, reply) => {
      const { id } = request.params
      const { alt } = request.query
      await known(db, id)
      const body = request.body as Readable | undefined
      if (typeof body?.pipe !== 'function')
        throw new Rejected(
          'unsupported-media-type',
          {},
          'Send the file itself, with a content type of image/… or video/….',
        )
      // An upload that is refused has not been read to its end: the connection can't be used again.
      const { hash, contentType, bytes } = await keepUpload(db, files, body, limits).catch((error) => {
        reply.header('connection', 'close')
        throw error
      })
      const url = publicUrl(hash)
      const options = {
        ...commandOptions(request),
        ...(request.headers['idempotency-key'] && { fingerprint: `${request.method} ${request.url} ${hash}` }),
      }
      const { version, entity } = await change(db, setMedia, id, options, (media) => {
        const shown = media.find((each) => each.url === url)
        if (!shown && media.length >= MOST)
          throw new Rejected('too-many-media', { most: MOST }, `a product has at most ${MOST} media`)
        const added = { url, ...(alt && { alt }) }
        return shown ? media.map((each) => (each === shown && alt !== undefined ? added : each)) : [...media, added]
      })
      reply.code(201).header('location', `/v1${url}`)
      return { productId: id, version, syncToken: syncToken(entity, version), hash, url, contentType, bytes }
    },
  )

  app.post(
    '/products/:id/media/refetch',
    {
      schema: {
        summary: 'Look again at what its links lead to',
        description:
          'Asks each link’s server for what is new; `media.updated` tells what is. Until then, and if it can’t be had, the product shows what it had. Failed links are retried like any failure.',
        tags,
        params,
        response: { 202: z.object({ productId: z.string(), links: z.int() }) },
      },
      config: admin,
    },
    async (request, reply) => {
      const { id } = request.params
      await known(db, id)
      return reply.code(202).send({ productId: id, links: await refetch(id) })
    },
  )

  app.delete(
    '/products/:id/media/:hash',
    {
      schema: {
        summary: 'Take an image or a video off it',
        tags,
        params: params.extend({ hash: contentHash }),
        response: { 204: z.undefined() },
      },
      config: admin,
    },
    async (request, reply) => {
      const { id, hash } = request.params
      await change(db, setMedia, id, commandOptions(request), async (media) => {
        const left = await without(db, media, hash)
        if (left.length === media.length) throw notFound('media', hash)
        return left
      })
      return reply.code(204).send()
    },
  )
}

async function known(db: Database, productId: string): Promise<Known> {
  const product = await productOf(db, productId)
  if (!product) throw notFound('product', productId)
  return product
}

/** Changes the list as it is now; again, if somebody else changed the product in between. */
async function change(
  db: Database,
  setMedia: SetMedia,
  productId: string,
  options: CommandOptions,
  next: (media: Media[]) => Media[] | Promise<Media[]>,
): Promise<{ version: number; entity: string }> {
  for (let tries = 1; ; tries++) {
    const { entity, version, media } = await known(db, productId)
    try {
      const done = await setMedia(productId, await next(media), { ...options, expect: { entity, version } })
      return { entity, ...done }
    } catch (error) {
      if (!(error instanceof Rejected && error.code === 'version-mismatch') || tries === 10) throw error
    }
  }
}
