/** A product's address in words. */
import { createHash } from 'node:crypto'

// Letters that Unicode does not decompose into a base letter and a mark; then Cyrillic and Greek, after ISO 9 and ISO 843 without marks.
const pairs =
  'ß:ss æ:ae œ:oe ø:o ł:l đ:d ð:d þ:th ı:i ' +
  'а:a б:b в:v г:g ґ:g д:d е:e є:ye ж:zh з:z и:i і:i к:k л:l м:m н:n о:o п:p р:r с:s т:t у:u ф:f х:kh ц:ts ч:ch ш:sh щ:shch ъ: ы:y ь: э:e ю:yu я:ya ' +
  'α:a β:v γ:g δ:d ε:e ζ:z η:i θ:th ι:i κ:k λ:l μ:m ν:n ξ:x ο:o π:p ρ:r σ:s ς:s τ:t υ:y φ:f χ:ch ψ:ps ω:o'
const letters = new Map(pairs.split(' ').map((pair) => pair.split(':') as [string, string]))

const slugMax = 80

/** Letters a–z, digits and single hyphens, 80 at most, cut between words: `Crème Brûlée №5!` → `creme-brulee-no5`. Empty when nothing can be written so. */
export function slugOf(text: string): string {
  const slug = latin(text.toLowerCase())
    .replace(/['’]/g, '')
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '')
  if (slug.length <= slugMax) return slug
  const cut = slug.slice(0, slugMax + 1)
  return cut.includes('-') ? cut.slice(0, cut.lastIndexOf('-')) : cut.slice(0, slugMax)
}

function latin(lower: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the range of ASCII, most text, needs nothing more
  if (/^[\x00-\x7f]*$/.test(lower)) return lower
  const plain = lower
    .normalize('NFKD')
    .replace(/\p{M}+/gu, '')
    .toLowerCase()
  return Array.from(plain, (letter) => letters.get(letter) ?? letter).join('')
}

/** The slug its maker chose (the attribute `slug` or Shopify's `handle`), else from the title, else from the id. */
export function productSlug(product: { id: string; title: string; attributes: Record<string, unknown> }): string {
  const { slug, handle } = product.attributes
  for (const text of [slug, handle, product.title, product.id]) {
    const found = typeof text === 'string' ? slugOf(text) : ''
    if (found !== '') return found
  }
  return `p-${createHash('sha256').update(product.id).digest('hex').slice(0, 12)}`
}
