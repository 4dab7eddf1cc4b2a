/** The `where` of a search: fixed SQL and bound values; nothing a caller wrote becomes SQL, tsquery syntax or a pattern. */
import type { SearchQuery } from './query.ts'
import { stem } from './stem.ts'
import { askedWords, lookupKey } from './words.ts'

/** How the text is looked for: as it was asked, or as one list of possible words for each word asked; undefined for no text. */
export type Wording = 'asked' | string[][] | undefined

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

  asked(query: SearchQuery, wording: Wording): this {
    const { q = '', category, vendor, tag, priceMin, priceMax, available } = query
    if (wording === 'asked') this.parts.push(`(words @@ ${this.words(q)} or keys @> ${this.keys('sku', [q])})`)
    else if (wording) this.parts.push(`words @@ ${this.meant(wording)}`)
    if (category !== undefined) this.parts.push(`keys @> ${this.keys('category', [category])}`)
    if (vendor !== undefined) this.parts.push(`keys @> ${this.keys('vendor', [vendor])}`)
    if (tag !== undefined) this.parts.push(`keys && ${this.keys('tag', tag)}`)
    if (priceMin !== undefined) this.parts.push(`price_max >= ${this.bind(priceMin)}::bigint`)
    if (priceMax !== undefined) this.parts.push(`price_min <= ${this.bind(priceMax)}::bigint`)
    if (available !== undefined) this.parts.push(`(offered and in_stock) = ${this.bind(available)}::boolean`)
    return this
  }

  /** A whole number, so that a cursor can hold it exactly: an exact SKU above 2,000,000, the rest up to 1,000,000. */
  score({ q = '' }: SearchQuery, wording: Wording): string {
    if (wording === undefined) return '0'
    const rank = (words: string) => `round(ts_rank(words, ${words}) * 1000000)::int`
    if (wording !== 'asked') return rank(this.meant(wording))
    return `case when keys @> ${this.keys('sku', [q])} then 2000000 else 0 end + ${rank(this.words(q))}`
  }

  private words(q: string): string {
    return `websearch_to_tsquery('simple', ${this.bind(askedWords(q))})`
  }

  /** One of each list's words, for every list. */
  private meant(wording: string[][]): string {
    const word = (text: string) => `plainto_tsquery('simple', ${this.bind(stem(text))})`
    return `(${wording.map((words) => `(${words.map(word).join(' || ')})`).join(' && ')})`
  }

  private keys(kind: Parameters<typeof lookupKey>[0], values: string[]): string {
    return `${this.bind(values.map((value) => lookupKey(kind, value)))}::text[]`
  }
}
