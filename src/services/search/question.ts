/** What was typed, as a question to the index: words that must be there, each in one of several wordings; "phrases" and -exclusions. */
import { askedLexemes, fold, lookupKey, plainWords, quoted } from './words.ts'

/** Words side by side (`phrase`), or anywhere in the product. */
export interface Alternative {
  words: string[]
  phrase: boolean
}

export interface Term {
  anyOf: Alternative[]
  not: boolean
}

export interface Wording {
  terms: Term[]
  /** Of several terms: all of them, or the more the better. */
  join: 'all' | 'some'
  /** As it was asked (with synonyms), with its spelling corrected, or what has some of the words. */
  match: 'asked' | 'corrected' | 'some'
}

/** Terms of a question that are looked at. */
const termsMax = 16

export function termsOf(q: string): Term[] {
  const terms: Term[] = []
  for (const [, minus, quoted, plain] of fold(q).matchAll(/(-?)(?:"([^"]*)"?|([^\s"]+))/gu)) {
    const words = plainWords(quoted ?? plain ?? '')
      .split(' ')
      .filter((word) => askedLexemes(word).length > 0 && word !== '')
    if (words.length === 0) continue
    if (minus || quoted !== undefined) terms.push({ anyOf: [{ words, phrase: true }], not: minus === '-' })
    else for (const word of words) terms.push({ anyOf: [{ words: [word], phrase: false }], not: false })
  }
  return terms.slice(0, termsMax)
}

/** In tsquery's own syntax, of letters and digits alone whatever was typed; undefined if nothing is asked. */
export function tsquery({ terms, join }: Pick<Wording, 'terms' | 'join'>, weight: '' | ':A' = ''): string | undefined {
  const wanted = terms.filter((term) => !term.not).map((term) => termQuery(term, weight))
  const unwanted = terms.filter((term) => term.not).map((term) => `!${termQuery(term, '')}`)
  const together = wanted.length > 0 ? [`(${wanted.join(join === 'all' ? ' & ' : ' | ')})`] : []
  return [...together, ...unwanted].join(' & ') || undefined
}

/** An exact thing, which stands among a product's words. */
export const keyQuery = (...key: Parameters<typeof lookupKey>) => quoted(lookupKey(...key))

export const anyOf = (queries: (string | undefined)[]) =>
  `(${queries.filter((query) => query !== undefined).join(' | ')})`

const termQuery = ({ anyOf }: Term, weight: string) =>
  `(${anyOf.map((alternative) => alternativeQuery(alternative, weight)).join(' | ')})`

function alternativeQuery({ words, phrase }: Alternative, weight: string): string {
  const lexemes = words.map(askedLexemes)
  const side = phrase && lexemes.every((each) => each.length === 1) ? ' <-> ' : ' & '
  return `(${lexemes.map((each) => `(${each.map((lexeme) => `'${lexeme}'${weight}`).join(' <-> ')})`).join(side)})`
}

/** The words that are looked for, as the highlighter knows them again. */
export function soughtWords({ terms }: Wording): Set<string> {
  const words = terms.filter((term) => !term.not).flatMap(({ anyOf }) => anyOf.flatMap((each) => each.words))
  return new Set(words.flatMap(askedLexemes))
}
