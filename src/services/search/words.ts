/** How text becomes searchable: the same folding and stemming for what is indexed and what is asked, in any script. */
import anyAscii from 'any-ascii'
import { stem } from './stem.ts'

// Letters that Unicode does not decompose into a base letter and a mark, and Arabic ones that are written either way.
const letters: Record<string, string> = {
  ß: 'ss',
  æ: 'ae',
  œ: 'oe',
  ø: 'o',
  ł: 'l',
  đ: 'd',
  ð: 'd',
  þ: 'th',
  ı: 'i',
  ة: 'ه',
  ى: 'ي',
  ـ: '',
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: the range of ASCII, most text, which needs less work
const isAscii = (text: string) => /^[\x00-\x7f]*$/.test(text)

// Accents, Arabic and Hebrew vowel signs; not the vowels of Indic scripts and Thai, nor what turns か into が.
const accents = /(?![\u3099\u309a])[[\p{M}&&\p{Script=Inherited}]\u0591-\u05c7]/gv
// Written without spaces between words, or (Hangul) with endings grown to them.
const unspaced =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}ー]+/gu
const isUnspaced = (word: string) => !isAscii(word) && word.match(unspaced)?.[0] === word

/** Without accents, in lower case: `Crème Brûlée` → `creme brulee`. */
export function fold(text: string): string {
  const lower = text.toLowerCase()
  if (isAscii(lower)) return lower
  return lower
    .normalize('NFKD')
    .replace(accents, '')
    .replace(/[ßæœøłđðþıةىـ]/g, (letter) => letters[letter] ?? letter)
    .normalize('NFC')
}

/** Words alone, one space apart: `usb-c/hdmi` is three, `iPhone手机壳` two. */
export function plainWords(text: string): string {
  const folded = fold(text)
  if (isAscii(folded)) return folded.replace(/[^a-z0-9]+/g, ' ').trim()
  return folded
    .replace(/[^\p{L}\p{M}\p{N}]+/gu, ' ')
    .replace(unspaced, ' $& ')
    .replace(/ +/g, ' ')
    .trim()
}

/** What a word is found by: its stem; for other alphabets their Latin letters too, so that `shkaf` finds `шкаф`. */
function lexemes(word: string): string[] {
  if (isAscii(word)) return [stem(word)]
  const latin = anyAscii(word)
    .toLowerCase()
    .replace(/[^a-z0-9]/g, '')
  return latin === '' ? [word] : [word, stem(latin)]
}

/** For the text without spaces between words: each letter, and each with the next. */
function* grams(run: string): Iterable<string[]> {
  const each = [...run]
  for (const [n, letter] of each.entries()) {
    const next = each[n + 1]
    yield next === undefined ? [letter] : [letter, letter + next]
  }
}

const wordsMax = 5_000

/**
 * A tsvector as text, never empty: the lexemes of each part with its weight and their places (the first 5,000 words count), and keys as they are.
 * Made here because Postgres' own parser and dictionaries took 60 µs for 60 words; reading this takes 12.
 */
export function searchVector(
  parts: { words: string; weight: 'A' | 'B' | 'C' | 'D' }[],
  keys: readonly string[] = [],
): string {
  const places = new Map<string, string>()
  let place = 0
  for (const { words, weight } of parts) {
    const suffix = weight === 'D' ? '' : weight
    for (const word of words.split(' ')) {
      if (word === '' || word.length > 100) continue
      for (const found of isUnspaced(word) ? grams(word) : [lexemes(word)]) {
        if (++place > wordsMax) break
        for (const lexeme of found) {
          const before = places.get(lexeme)
          places.set(lexeme, before === undefined ? `${place}${suffix}` : `${before},${place}${suffix}`)
        }
      }
    }
  }
  let text = ''
  for (const [lexeme, at] of places) text += `${lexeme}:${at} `
  for (const key of keys) text += `${quoted(key)} `
  return text || ' '
}

/** The lexemes that a product must have side by side to have this word; none for what nothing can be found by. */
export function askedLexemes(word: string): string[] {
  if (word.length > 100) return []
  if (!isUnspaced(word)) return [isAscii(word) ? stem(word) : word]
  const each = [...word]
  return each.length === 1 ? each : each.slice(1).map((letter, n) => `${each[n]}${letter}`)
}

/** An exact thing to look up, which no word can be: `sku:kit-1`, `tag:summer`. At most 2,000 bytes, as Postgres wants of a lexeme. */
export function lookupKey(kind: 'sku' | 'category' | 'vendor' | 'tag', value: string): string {
  return `${kind}:${fold(value.trim()).slice(0, 500)}`
}

/** In the text of a tsvector or tsquery. */
export const quoted = (lexeme: string) => `'${lexeme.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`
