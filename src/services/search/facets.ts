/** What the matching products have in common: the values of their fields, and how many have each. */
import { type Field, filtered } from './conditions.ts'
import type { SearchQuery } from './query.ts'

const listedMax = 50
/** Lower bounds of the price brackets, minor units. */
export const priceBounds = [0, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000]

export interface FacetValues {
  category: { value: string; count: number }[]
  vendor: { value: string; count: number }[]
  tag: { value: string; count: number }[]
  /** By the lowest price; `max` is exclusive and null for the last. */
  price: { min: number; max: number | null; count: number }[]
  available: { value: boolean; count: number }[]
}

export interface Counts {
  total: number
  exact: boolean
  facets: Partial<FacetValues>
}

export interface Facets {
  /** Exact up to 1,000, beyond it an estimate. */
  total: number
  totalIsExact: boolean
  /** Where more than 1,000 products were to be counted, some hundreds stand for all. */
  facetsAreExact: boolean
  /** A field that is filtered by is counted without its own filter, so that its other values can be chosen. */
  facets: FacetValues
}

export function facetsOf(all: Counts, ofFields: readonly Counts[]): Facets {
  const facets = Object.assign({}, all.facets, ...ofFields.map((counts) => counts.facets)) as FacetValues
  return {
    total: all.total,
    totalIsExact: all.exact,
    facetsAreExact: [all, ...ofFields].every(({ exact }) => exact),
    facets,
  }
}

/** Tags come last: they are as many as they are. No tag holds the separator, and who puts it into a category has one that is counted as another. */
const columns: Record<Field, string> = {
  category: `coalesce(category, '')`,
  vendor: `coalesce(vendor_id, '')`,
  price: `coalesce(price_min::text, '')`,
  available: `case when offered and in_stock then '1' else '0' end`,
  tag: `array_to_string(tags, chr(31))`,
}
const fields = Object.keys(columns) as Field[]

/** The fields that a query does not filter by. */
export const unfiltered = (query: SearchQuery) => fields.filter((field) => !filtered(query).includes(field))

/** A product's values of these fields in SQL, as one text: they are counted here, which costs a third of grouping them there by each field. */
export const lineOf = (chosen: readonly Field[]) =>
  chosen.map((field) => columns[field]).join(' || chr(31) || ') || `''`

/** Counts what `string_agg` of such lines, by `chr(30)`, says of them; a line stands for so many products. */
export function tally(lines: string | null, chosen: readonly Field[], each: number): Partial<FacetValues> {
  const found = chosen.map(() => new Map<string, number>())
  const count = (values: Map<string, number>, value: string) =>
    value !== '' && values.set(value, (values.get(value) ?? 0) + 1)
  for (const line of lines?.split('\x1e') ?? []) {
    const texts = line.split('\x1f')
    for (const [n, field] of chosen.entries()) {
      const values = found[n] as Map<string, number>
      const text = texts[n] ?? ''
      if (field === 'tag') for (const tag of texts.slice(n)) count(values, tag)
      else count(values, field === 'price' && text !== '' ? String(bracketOf(Number(text))) : text)
    }
  }
  return Object.fromEntries(chosen.map((field, n) => [field, listed(field, found[n] as Map<string, number>, each)]))
}

const bracketOf = (price: number) => priceBounds.findLastIndex((bound) => bound <= price)

/** The most frequent first, prices in order. */
function listed(field: Field, found: ReadonlyMap<string, number>, each: number) {
  const values = [...found].map(([value, count]) => ({ value, count: Math.round(count * each) }))
  if (field === 'price')
    return values
      .sort((a, b) => Number(a.value) - Number(b.value))
      .map(({ value, count }) => ({ ...bracket(Number(value)), count }))
  const top = values.sort((a, b) => b.count - a.count || (a.value < b.value ? -1 : 1)).slice(0, listedMax)
  return field === 'available' ? top.map(({ value, count }) => ({ value: value === '1', count })) : top
}

const bracket = (n: number) => ({ min: priceBounds[n] ?? 0, max: priceBounds[n + 1] ?? null })
