/** The words of a product, as they are searched. Most changes of a product are of its price or its stock, so those made last are kept. */
import { hash } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import type { Product } from '../catalog/events.ts'
import { lookupKey, plainWords, searchVector } from './words.ts'

/** Characters of description and attributes that are looked at. */
const BODY_MOST = 100_000
/** Characters of all that is kept, about. */
const KEPT_CHARACTERS = 3_000_000

export interface ProductWords {
  heading: string
  labels: string
  /** A tsvector as text. */
  vector: string
}

/** Of what is not to be found. */
export const wordless: ProductWords = { heading: '', labels: '', vector: ' ' }

/** `source` is the hash of what they were made of. */
const kept = new LRUCache<string, { source: string; words: ProductWords }>({
  maxSize: KEPT_CHARACTERS,
  sizeCalculation: ({ source, words }) => source.length + words.vector.length + words.labels.length,
})

export function wordsOf(product: Product): ProductWords {
  const { id, title, category, vendorId, tags, variants, description, attributes } = product
  const skus = variants.map((variant) => variant.sku)
  const titles = variants.map((variant) => variant.title)
  const body = Object.values(attributes)
  const source = hash('sha1', JSON.stringify([title, category, vendorId, tags, skus, titles, description, body]))
  const before = kept.get(id)
  if (before?.source === source) return before.words
  const words = made(product)
  kept.set(id, { source, words })
  return words
}

function made({ title, category, vendorId, tags, variants, description, attributes }: Product): ProductWords {
  const heading = plainWords(title)
  const labels = plainWords([category, vendorId, ...tags, ...variants.map((variant) => variant.title)].join(' '))
  const body = plainWords([description, ...Object.values(attributes)].join(' ').slice(0, BODY_MOST))
  const keys = [
    ...variants.map((variant) => lookupKey('sku', variant.sku)),
    ...tags.map((tag) => lookupKey('tag', tag)),
    ...(category === null ? [] : [lookupKey('category', category)]),
    ...(vendorId === null ? [] : [lookupKey('vendor', vendorId)]),
  ]
  const vector = searchVector(
    [
      { words: heading, weight: 'A' },
      { words: labels, weight: 'B' },
      { words: body, weight: 'D' },
    ],
    keys,
  )
  return { heading, labels, vector }
}
