/** The `where` of a search: fixed SQL and bound values; nothing a caller wrote becomes SQL, tsquery syntax or a pattern. */
import type { SearchQuery } from './query.ts'
import { askedWords, lookupKey, plainWords } from './words.ts'

export class Conditions {
  readonly values: unknown[] = []
  private readonly parts = ['live']

  /** The statement's name for a value. */
  bind(value: unknown): string {
    this.values.push(value)
    return `$${this.values.length}`
  }

  get sql(): string {
    return this.parts.join('\n and ')
  }

  asked(query: SearchQuery, by: 'words' | 'typos' | undefined): this {
    const { q = '', category, vendor, tag, priceMin, priceMax, available } = query
    if (by === 'words') this.parts.push(`(words @@ ${this.words(q)} or keys @> ${this.keys('sku', [q])})`)
    if (by === 'typos') this.parts.push(`typos %> ${this.bind(plainWords(q))}`)
    if (category !== undefined) this.parts.push(`keys @> ${this.keys('category', [category])}`)
    if (vendor !== undefined) this.parts.push(`keys @> ${this.keys('vendor', [vendor])}`)
    if (tag !== undefined) this.parts.push(`keys && ${this.keys('tag', tag)}`)
    if (priceMin !== undefined) this.parts.push(`price_max >= ${this.bind(priceMin)}::bigint`)
    if (priceMax !== undefined) this.parts.push(`price_min <= ${this.bind(priceMax)}::bigint`)
    if (available !== undefined) this.parts.push(`(offered and in_stock) = ${this.bind(available)}::boolean`)
    return this
  }

  /** A whole number, so that a cursor can hold it exactly: an exact SKU above 2,000,000, the rest up to 1,000,000. */
  score({ q = '' }: SearchQuery, by: 'words' | 'typos' | undefined): string {
    if (by === undefined) return '0'
    if (by === 'typos') return `round(word_similarity(${this.bind(plainWords(q))}, typos) * 1000000)::int`
    return `case when keys @> ${this.keys('sku', [q])} then 2000000 else 0 end + round(ts_rank(words, ${this.words(q)}) * 1000000)::int`
  }

  private words(q: string): string {
    return `websearch_to_tsquery('search.words', ${this.bind(askedWords(q))})`
  }

  private keys(kind: Parameters<typeof lookupKey>[0], values: string[]): string {
    return `${this.bind(values.map((value) => lookupKey(kind, value)))}::text[]`
  }
}
