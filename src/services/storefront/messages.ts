/** What a shop says, by language: one file a language in `messages/`, English when there is none. */
import { readdirSync, readFileSync } from 'node:fs'
import { z } from 'zod'

const plural = z.strictObject({
  zero: z.string().optional(),
  one: z.string().optional(),
  two: z.string().optional(),
  few: z.string().optional(),
  many: z.string().optional(),
  other: z.string(),
})
const words = z.string().min(1)

export const messages = z.strictObject({
  IN_STOCK: words,
  LOW_STOCK: words,
  OUT_OF_STOCK: words,
  LIMITED_AVAILABILITY: words,
  /** The short ones of C, Inventory Display Rules; those above are of its Example. */
  labels: z.strictObject({ IN_STOCK: words, LOW_STOCK: words, OUT_OF_STOCK: words, LIMITED_AVAILABILITY: words }),
  restock: words,
  days: plural,
  /** Of the shop's page. */
  page: z.strictObject({
    title: words,
    search: words,
    searchHint: words,
    found: plural,
    /** What was estimated rather than counted: `found` in short. */
    about: words,
    nothing: words,
    empty: words,
    more: words,
    from: words,
    was: words,
    noPrice: words,
    live: words,
    offline: words,
    broken: words,
    ships: words,
    theme: words,
    close: words,
  }),
})

export interface Language {
  /** `en`, `pt-BR`: the file's name. */
  locale: string
  messages: z.infer<typeof messages>
}

const FOLDER = new URL('./messages/', import.meta.url)

/** Every language there is. Throws when a file lacks a message, or has one that nobody knows. */
export function readLanguages(folder = FOLDER): Map<string, Language> {
  const files = readdirSync(folder).filter((name) => name.endsWith('.json'))
  return new Map(
    files.map((name) => {
      const locale = name.slice(0, -'.json'.length)
      const read = messages.safeParse(JSON.parse(readFileSync(new URL(name, folder), 'utf8')))
      if (!read.success) throw new Error(`messages/${name}: ${z.prettifyError(read.error)}`)
      return [locale.toLowerCase(), { locale, messages: read.data }]
    }),
  )
}

/**
 * The first of the languages wanted that there is: an Accept-Language header, or one locale. `de-AT` is content with `de`. What nobody can
 * read is passed over, as HTTP asks.
 */
export function languageFor(wanted: string | undefined, languages: ReadonlyMap<string, Language>): Language {
  const ranges = (wanted ?? '')
    .slice(0, 500)
    .split(',')
    .map((part, n) => {
      const [tag = '', ...parameters] = part.trim().toLowerCase().split(';')
      const quality = parameters.map((each) => /^\s*q=([\d.]+)$/.exec(each)?.[1]).find((found) => found !== undefined)
      return { tag: tag.trim(), quality: quality === undefined ? 1 : Number(quality), n }
    })
    .filter(({ quality }) => quality > 0)
    .sort((a, b) => b.quality - a.quality || a.n - b.n)
  for (const { tag } of ranges) {
    const found = languages.get(tag) ?? languages.get(tag.split('-')[0] ?? '')
    if (found) return found
  }
  const english = languages.get('en')
  if (!english) throw new Error('messages/en.json is missing')
  return english
}

/** Puts values in the places named: `Only {count} left`. */
export const filled = (message: string, values: Record<string, string | number>): string =>
  message.replace(/\{(\w+)\}/g, (place, name: string) => String(values[name] ?? place))
