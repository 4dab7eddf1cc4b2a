/**
 * Media as a page shows them: `/media/<hash>/medium` in the format the client likes best, `/media/<hash>/medium.webp` in one. What is behind such
 * an address never changes, so it may be kept for good.
 */
import { Readable } from 'node:stream'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { LRUCache } from 'lru-cache'
import { z } from 'zod'
import type { Database } from '../../engine/database.ts'
import { type App, notFound } from '../../engine/http.ts'
import { shownAsset } from './assets.ts'
import type { Asset, Rendition } from './events.ts'
import { type MediaFiles, ORIGINAL, type Range } from './files.ts'
import { type Format, fileOf, formatOf, RECIPE } from './recipe.ts'
import { contentHash } from './routes.ts'

const tags = ['media']
/** A page's images are shown whatever a cache or a theme hangs behind their address. */
const config = { anyQuery: true }
const FOR_GOOD = 'public, max-age=31536000, immutable'
/** What a link without a size shows. */
const USUAL: Rendition['name'] = 'large'

const file = z
  .string()
  .regex(
    /^(?:(thumb|small|medium|large|zoom)(?:\.(avif|webp|jpg))?|original)$/,
    'must be thumb, small, medium, large or zoom, with .avif, .webp or .jpg behind it or without, or original for a video',
  )

export function publicRoutes(app: App, db: Database, files: MediaFiles): void {
  // Assets of one recipe never change, and a page asks for many at once.
  const assets = new LRUCache<string, Shown>({ max: 5_000 })
  const assetOf = async (hash: string) => {
    const shown = assets.get(hash) ?? (await shownAsset(db, hash))
    if (!shown) throw notFound('media', hash)
    if (shown.recipe === RECIPE) assets.set(hash, shown)
    return shown
  }
  const send = async (request: FastifyRequest, reply: FastifyReply, { asset, recipe }: Shown, name?: string) => {
    const chosen = asset.kind === 'video' ? original(asset, name) : rendition(asset, name, request.headers.accept)
    if (!chosen) throw notFound('media', `${asset.hash}/${name}`)
    const tag = `"${asset.hash.slice(0, 32)}-${chosen.file}-${recipe}"`
    return sendFile(request, reply, files, { hash: asset.hash, tag, ...chosen })
  }

  app.get(
    '/media/:hash',
    {
      schema: {
        summary: 'An image at its usual size, or a video',
        tags,
        params: z.strictObject({ hash: contentHash }),
      },
      config,
    },
    async (request, reply) => send(request, reply, await assetOf(request.params.hash)),
  )
  app.get(
    '/media/:hash/:file',
    { schema: { summary: 'An image at a size', tags, params: z.strictObject({ hash: contentHash, file }) }, config },
    async (request, reply) => send(request, reply, await assetOf(request.params.hash), request.params.file),
  )
}

interface Shown {
  asset: Asset
  recipe: number
}

interface Chosen {
  file: string
  contentType: string
  /** The client's taste chose it: another's may choose otherwise. */
  negotiated: boolean
}

/** An image as it came is not shown: it may tell where it was taken, and be more than an image. */
function rendition(asset: Asset, name: string = USUAL, accept: string | undefined): Chosen | undefined {
  const { renditions, animation } = asset
  const [size = '', extension] = name.split('.')
  if (size === ORIGINAL) return undefined
  // A size that would have been larger than the image: all of it.
  const made = renditions.find((each) => each.name === size) ?? renditions.at(-1)
  const format = extension === undefined ? preferred(accept, animation !== undefined) : formatOf(extension)
  if (!made || !format) return undefined
  return {
    file: fileOf(made.name, format),
    contentType: `image/${format}`,
    negotiated: extension === undefined,
  }
}

function original({ contentType }: Asset, name: string = ORIGINAL): Chosen | undefined {
  return name === ORIGINAL ? { file: ORIGINAL, contentType, negotiated: false } : undefined
}

/** The smallest that the client names: everybody reads JPEG, and a star says nothing of the newer ones. Of what moves, the one that moves. */
export function preferred(accept = '', moves = false): Format {
  const named = accept
    .toLowerCase()
    .split(',')
    .flatMap((part) => (/;\s*q=0(\.0*)?\s*$/.test(part) ? [] : part.split(';', 1)[0]?.trim()))
  const best = (moves ? ['webp', 'avif'] : ['avif', 'webp']) as Format[]
  return best.find((format) => named.includes(`image/${format}`)) ?? 'jpeg'
}

async function sendFile(
  request: FastifyRequest,
  reply: FastifyReply,
  files: MediaFiles,
  { hash, tag, file, contentType, negotiated }: Chosen & { hash: string; tag: string },
) {
  reply.header('etag', tag).header('cache-control', FOR_GOOD).header('cross-origin-resource-policy', 'cross-origin')
  if (negotiated) reply.header('vary', 'accept')
  if (namesTag(request.headers['if-none-match'], tag)) return reply.code(304).send()
  const open = await files.open(hash, file)
  if (!open) {
    reply.removeHeader('etag').removeHeader('cache-control')
    throw notFound('media', `${hash}/${file}`)
  }
  reply.type(contentType).header('accept-ranges', 'bytes')
  const range = rangeOf(request.headers.range, open.bytes)
  if (range === 'beyond') {
    await open.close()
    return reply.code(416).header('content-range', `bytes */${open.bytes}`).send()
  }
  reply.header('content-length', range ? range.to - range.from + 1 : open.bytes)
  if (range) reply.code(206).header('content-range', `bytes ${range.from}-${range.to}/${open.bytes}`)
  if (request.method === 'HEAD') {
    await open.close()
    return reply.send(Readable.from([])) // of nothing at all Fastify would say that it is 0 bytes long
  }
  return reply.send(open.read(range))
}

const namesTag = (header = '', tag: string) =>
  header === '*' || header.split(',').some((each) => each.trim().replace(/^W\//, '') === tag)

/** One range, as players of videos ask for; more than one, or what can't be read, is answered with the whole (RFC 9110, 14.2). */
export function rangeOf(header: string | undefined, bytes: number): Range | 'beyond' | undefined {
  const found = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header ?? '')
  const [, first = '', last = ''] = found ?? []
  if (!found || (first === '' && last === '')) return undefined
  const from = first === '' ? Math.max(0, bytes - Number(last)) : Number(first)
  const to = first === '' || last === '' ? bytes - 1 : Math.min(bytes - 1, Number(last))
  if (first !== '' && last !== '' && Number(last) < from) return undefined
  return from > to ? 'beyond' : { from, to }
}
