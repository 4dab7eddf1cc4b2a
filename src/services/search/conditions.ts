/** The `where` of a search: fixed SQL and bound values; nothing a caller wrote becomes SQL or a pattern, and of tsquery only quoted words. */
import type { SearchQuery } from './query.ts'
import { anyOf, keyQuery, tsquery, type Wording } from './question.ts'
import { plainWords } from './words.ts'

/** What can be filtered by, and is counted as a facet. */
export type Field = 'category' | 'vendor' | 'tag' | 'price' | 'available'

/** The fields that a query filters by. */
export function filtered(query: SearchQuery): Field[] {
  const { category, vendor, tag, priceMin, priceMax, available } = query
  const given = { category, vendor, tag, price: priceMin ?? priceMax, available }
  return (Object.keys(given) as Field[]).filter((field) => given[field] !== undefined)
}

/** The same search without one of its filters. */
export function without({ ...query }: SearchQuery, field: Field): SearchQuery {
  if (field === 'price') {
    delete query.priceMin
    delete query.priceMax
  } else delete query[field]
  return query
}

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

  /** Whether the index of words finds it. */
  get worded(): boolean {
    return this.parts.some((part) => part.startsWith('words'))
  }

  asked(query: SearchQuery, wording: Wording | undefined): this {
    const { q = '', category, vendor, tag, priceMin, priceMax, available } = query
    const parts: string[] = []
    if (wording) parts.push(anyOf([tsquery(wording), keyQuery('sku', q)]))
    if (category !== undefined) parts.push(keyQuery('category', category))
    if (vendor !== undefined) parts.push(keyQuery('vendor', vendor))
    if (tag !== undefined) parts.push(anyOf(tag.map((one) => keyQuery('tag', one))))
    if (parts.length > 0) this.parts.push(`words @@ ${this.query(parts.join(' & '))}`)
    if (priceMin !== undefined) this.parts.push(`price_max >= ${this.bind(priceMin)}::bigint`)
    if (priceMax !== undefined) this.parts.push(`price_min <= ${this.bind(priceMax)}::bigint`)
    if (available !== undefined) this.parts.push(`(offered and in_stock) = ${this.bind(available)}::boolean`)
    return this
  }

  /**
   * A whole number, so that a cursor can hold it exactly: an exact SKU, then an exact title, then words by their weight (title, labels, text) and rank;
   * among equals what is available, then the shorter title.
   */
  score({ q = '' }: SearchQuery, wording: Wording | undefined): string {
    if (!wording) return '0'
    const query = tsquery(wording)
    const rank = query ? `round(ts_rank(words, ${this.query(query)}) * 1000000)::int` : '0'
    return `greatest(0, case when words @@ ${this.query(keyQuery('sku', q))} then 4000000 else 0 end
             + case when sort_title = ${this.bind(plainWords(q))} then 2000000 else 0 end
             + ${rank} + case when offered and in_stock then 500 else 0 end - least(length(sort_title), 499))`
  }

  /** That the title has the words, or it is what was asked exactly. */
  titled({ q = '' }: SearchQuery, wording: Wording): string {
    const query = anyOf([tsquery(wording, ':A'), keyQuery('sku', q)])
    return `(words @@ ${this.query(query)} or sort_title = ${this.bind(plainWords(q))})`
  }

  private query(text: string): string {
    return `${this.bind(text)}::tsquery`
  }
}
