/** How text becomes searchable: the same folding and stemming for what is indexed and what is asked. */
import { stem } from './stem.ts'

// Letters that Unicode does not decompose into a base letter and a mark.
const letters: Record<string, string> = { ß: 'ss', æ: 'ae', œ: 'oe', ø: 'o', ł: 'l', đ: 'd', ð: 'd', þ: 'th', ı: 'i' }

// biome-ignore lint/suspicious/noControlCharactersInRegex: the range of ASCII, most text, which needs less work
const isAscii = (text: string) => /^[\x00-\x7f]*$/.test(text)

/** Without accents, in lower case: `Crème Brûlée` → `creme brulee`. */
export function fold(text: string): string {
  const lower = text.toLowerCase()
  if (isAscii(lower)) return lower
  return lower
    .normalize('NFKD')
    .replace(/\p{M}+/gu, '')
    .replace(/[ßæœøłđðþı]/g, (letter) => letters[letter] ?? letter)
}

/** Words alone, one space apart. Postgres' parser would otherwise take `usb-c/hdmi` for a file name and never find `hdmi`. */
export function plainWords(text: string): string {
  const folded = fold(text)
  return folded
    .replace(isAscii(folded) ? /[^a-z0-9]+/g : /[^\p{L}\p{N}]+/gu, ' ')
    .replace(exponent, '$1 ')
    .trim()
}

// Postgres would read 1e5e5 in a question as the number 1e5 and then e5: so it is 1, e5 and e5 on both sides.
const exponent = /(\d)(?=e\d)/g

const wordsMax = 5_000

/**
 * A tsvector as text, never empty: the stems of each part with its weight and their places; the first 5,000 words count.
 * Made here because Postgres' own parser and dictionaries took 60 µs for 60 words; reading this takes 12.
 */
export function searchVector(parts: { words: string; weight: 'A' | 'B' | 'C' | 'D' }[]): string {
  const places = new Map<string, string>()
  let place = 0
  for (const { words, weight } of parts) {
    const suffix = weight === 'D' ? '' : weight
    for (const word of words.split(' ')) {
      if (word === '' || word.length > 100) continue
      if (++place > wordsMax) break
      const lexeme = stem(word)
      const before = places.get(lexeme)
      places.set(lexeme, before === undefined ? `${place}${suffix}` : `${before},${place}${suffix}`)
    }
  }
  let text = ''
  for (const [lexeme, at] of places) text += `${lexeme}:${at} `
  return text || ' '
}

/** For `websearch_to_tsquery('simple', …)`: stems, "phrases" and -exclusions stay, whatever else was typed is space. */
export function askedWords(q: string): string {
  return fold(q)
    .replace(/[^\p{L}\p{N}"-]+/gu, ' ')
    .replace(/(?<!^|[\s"])-+|-+(?=[\s"-]|$)/g, ' ')
    .replace(/ +/g, ' ')
    .replace(exponent, '$1 ')
    .trim()
    .replace(/[\p{L}\p{N}]+/gu, stem)
}

/** An exact thing to look up: `sku:kit-1`, `tag:summer`. */
export function lookupKey(kind: 'sku' | 'category' | 'vendor' | 'tag', value: string): string {
  return `${kind}:${fold(value.trim())}`
}
