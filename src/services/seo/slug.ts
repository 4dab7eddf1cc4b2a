/** A product's address in words. */
import { createHash } from 'node:crypto'
import anyAscii from 'any-ascii'

export const slugMax = 80

/** A slug as somebody may choose it. */
export const slugPattern = /^[a-z0-9]+(?:-[a-z0-9]+)*$/

/** Letters a–z, digits and single hyphens, 80 at most, cut between words, whatever the script: `Crème Brûlée №5!` → `creme-brulee-no5`. Empty when nothing can be written so. */
export function slugOf(text: string): string {
  const slug = anyAscii(text.normalize('NFC'))
    .toLowerCase()
    .replace(/['`]/g, '')
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '')
  if (slug.length <= slugMax) return slug
  const cut = slug.slice(0, slugMax + 1)
  return cut.includes('-') ? cut.slice(0, cut.lastIndexOf('-')) : cut.slice(0, slugMax)
}

interface Named {
  id: string
  title: string
  attributes: Record<string, unknown>
}

/** What a product's slug is made of: what its maker chose (the attribute `slug` or Shopify's `handle`), else its title, else its id. */
export function slugSource({ id, title, attributes: { slug, handle } }: Named): string {
  return [slug, handle, title].find((text): text is string => typeof text === 'string' && slugOf(text) !== '') ?? id
}

/** The slug of a source; for what can't be written so, one made of its hash. */
export const slugFrom = (source: string): string =>
  slugOf(source) || `p-${createHash('sha256').update(source).digest('hex').slice(0, 12)}`
