/** What search engines and social networks are told of a product: title, description, canonical address, Open Graph, a card, and JSON-LD. */
import type { Product } from '../catalog/events.ts'
import { jsonLd } from './json-ld.ts'
import { cheapest, type Offers } from './offers.ts'

export interface SeoPage {
  productId: string
  slug: string
  canonical: string
  /** What robots may do: only active products are to be found. */
  robots: 'index, follow' | 'noindex'
  /** At most 60 characters: what Google shows of a title. */
  metaTitle: string
  /** At most 155 characters. */
  metaDescription: string
  /** Open Graph's have a `property`, the others a `name`. */
  meta: ({ name: string; content: string } | { property: string; content: string })[]
  /** schema.org Product. Escape `<` when it is written into a page's script; `head` has it escaped. */
  jsonLd: Record<string, unknown>
  /** All of it as HTML, to be put into a page's head as it is. */
  head: string
}

export interface Shop {
  /** Where the shop is, without a slash at the end. */
  url: string
}

export const pathOf = (slug: string) => `/products/${slug}`

export function seoPage(product: Product, slug: string, offers: Offers, shop: Shop): SeoPage {
  const canonical = shop.url + pathOf(slug)
  const description = textOf(product.description)
  const metaTitle = shortened(textOf(product.title), 60)
  const metaDescription = shortened(description || textOf(product.title), 155)
  const images = imagesOf(product, shop)
  const robots = product.status === 'active' ? 'index, follow' : 'noindex'
  const { price, available } = cheapest(offers)
  const property = (property: string, content: string | undefined) =>
    content === undefined || content === '' ? [] : [{ property, content }]
  const meta = [
    { name: 'description', content: metaDescription },
    { name: 'robots', content: robots },
    ...property('og:type', 'product'),
    ...property('og:title', metaTitle),
    ...property('og:description', metaDescription),
    ...property('og:url', canonical),
    ...images.slice(0, 4).flatMap(({ url, alt }) => [...property('og:image', url), ...property('og:image:alt', alt)]),
    ...property('product:brand', product.vendorId ?? undefined),
    ...property('product:price:amount', price?.text),
    ...property('product:price:currency', price?.currency),
    ...property('product:availability', available ? 'in stock' : 'out of stock'),
    { name: 'twitter:card', content: images.length > 0 ? 'summary_large_image' : 'summary' },
    { name: 'twitter:title', content: metaTitle },
    { name: 'twitter:description', content: metaDescription },
    ...(images[0] ? [{ name: 'twitter:image', content: images[0].url }] : []),
  ]
  const ld = jsonLd(product, { canonical, description, images: images.map(({ url }) => url), offers })
  const page = { productId: product.id, slug, canonical, robots, metaTitle, metaDescription, meta, jsonLd: ld } as const
  return { ...page, head: headOf(page) }
}

function headOf({ metaTitle, canonical, meta, jsonLd }: Omit<SeoPage, 'head'>): string {
  const tags = meta.map((tag) => {
    const [kind, name] = 'name' in tag ? ['name', tag.name] : ['property', tag.property]
    return `<meta ${kind}="${name}" content="${escaped(tag.content)}">`
  })
  return [
    `<title>${escaped(metaTitle)}</title>`,
    `<link rel="canonical" href="${escaped(canonical)}">`,
    ...tags,
    `<script type="application/ld+json">${forScript(jsonLd)}</script>`,
  ].join('\n')
}

const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }
export const escaped = (text: string) => text.replace(/[&<>"']/g, (character) => entities[character] as string)

/** JSON that no title can end the script with, nor begin a comment in. */
export const forScript = (value: unknown) =>
  JSON.stringify(value).replace(/[<>&\u2028\u2029]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`)

/** With whole addresses; moving pictures are none. */
function imagesOf({ media }: Product, shop: Shop) {
  return media
    .filter(({ url }) => !/\.(mp4|m4v|mov|webm|mkv|avi|ogv)(\?|#|$)/i.test(url))
    .map(({ url, alt }) => ({ url: url.startsWith('/') ? shop.url + url : url, alt }))
}

/** Without tags, entities' work left alone, on one line. */
function textOf(html: string): string {
  const text = html.includes('<') ? html.replace(/<[^<>]*>/g, ' ') : html
  return (/[^\S ]| {2}/.test(text) ? text.replace(/\s+/g, ' ') : text).trim()
}

/** At most so many UTF-16 units, cut between words where that loses no more than half, with an ellipsis. */
export function shortened(text: string, max: number): string {
  if (text.length <= max) return text
  const cut = text.slice(0, max - 1)
  const space = text[max - 1] === ' ' ? cut.length : cut.lastIndexOf(' ')
  const kept = space > cut.length / 2 ? cut.slice(0, space) : cut.replace(/[\ud800-\udbff]$/, '')
  return `${kept.trimEnd()}…`
}
