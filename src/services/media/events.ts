/** What media tell: the contract of their event, and the renditions it names. */
import { z } from 'zod'
import { fieldChange } from '../catalog/events.ts'

const pixels = z.int().min(1)

/** One size of an image. `url` answers with the format the client likes best; `.avif`, `.webp` or `.jpg` behind it asks for that one. */
export const rendition = z.strictObject({
  name: z.enum(['thumb', 'small', 'medium', 'large', 'zoom']),
  url: z.string(),
  width: pixels,
  height: pixels,
  bytes: z.strictObject({ avif: z.int(), webp: z.int(), jpeg: z.int() }),
})
export type Rendition = z.infer<typeof rendition>

export const videoDetails = z.strictObject({
  durationMs: z.int().min(0).optional(),
  codec: z.string().optional(),
  frameRate: z.number().optional(),
  audioCodec: z.string().optional(),
})

/** `loops`: how often it is played, 0 without end. */
export const animationDetails = z.strictObject({ frames: z.int().min(2), durationMs: z.int().min(0), loops: z.int() })

/** What was made of some content, whoever shows it. `hash` is the content's SHA-256; `url` stays as it is for good. */
export const asset = z.strictObject({
  hash: z.string(),
  kind: z.enum(['image', 'video']),
  url: z.string(),
  /** Of the content as it came. */
  contentType: z.string(),
  bytes: z.int(),
  width: pixels,
  height: pixels,
  /** Images only, the smallest first. A name that is missing would have been larger than the image. */
  renditions: z.array(rendition),
  video: videoDetails.optional(),
  /** Of an image whose WebP renditions move; AVIF and JPEG show how it begins. One with too many pixels over all its frames is a still. */
  animation: animationDetails.optional(),
})
export type Asset = z.infer<typeof asset>

/** One of a product's media in the catalog's order: what became of its link, or why nothing did. */
export const productMedia = z.strictObject({
  source: z.string(),
  alt: z.string().optional(),
  asset: asset.optional(),
  failure: z.string().optional(),
})
export type ProductMedia = z.infer<typeof productMedia>

/** key = the product's id, entity = `media/<productId>`. */
export const mediaEvents = {
  'media.updated': z.strictObject({
    productId: z.string(),
    /** Empty once the product has none or was deleted. */
    media: z.array(productMedia),
    /** `media` for their order, as lists of links; `media.<link>` for what became of one, as its content's hash or null. */
    changes: z.array(fieldChange),
  }),
}
export type MediaData = z.infer<(typeof mediaEvents)['media.updated']>
