/** A text as HTML in which what was looked for stands in <mark>; everything else is escaped, so it is safe to show whatever a vendor wrote. */
import { askedLexemes, plainWords } from './words.ts'

const escapes: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }
export const escapeHtml = (text: string) => text.replace(/[&<>"']/g, (letter) => escapes[letter] ?? letter)

/** `sought`: lexemes. Undefined when none of them is there. */
export function highlighted(text: string, sought: ReadonlySet<string>): string | undefined {
  let html = ''
  let end = 0
  for (const [from, to] of marks(text, sought)) {
    html += `${escapeHtml(text.slice(end, from))}<mark>${escapeHtml(text.slice(from, to))}</mark>`
    end = to
  }
  return end === 0 ? undefined : html + escapeHtml(text.slice(end))
}

/** Ranges of UTF-16 units, in order and apart. */
function marks(text: string, sought: ReadonlySet<string>): [number, number][] {
  const found: [number, number][] = []
  const mark = (from: number, to: number) => {
    const last = found.at(-1)
    if (last && from <= last[1]) last[1] = Math.max(last[1], to)
    else found.push([from, to])
  }
  for (const { 0: word, index } of text.matchAll(/[\p{L}\p{M}\p{N}]+/gu)) {
    const parts = plainWords(word).split(' ')
    const lexemes = parts.flatMap(askedLexemes)
    if (parts.length === 1 && lexemes.length === 1) {
      if (lexemes.some((lexeme) => sought.has(lexeme))) mark(index, index + word.length)
    } else markInside(word, index, sought, mark)
  }
  return found
}

/** Where words follow each other without a space: what was looked for is marked letter by letter. */
function markInside(word: string, at: number, sought: ReadonlySet<string>, mark: (from: number, to: number) => void) {
  const starts = [...word.matchAll(/[\p{L}\p{N}]\p{M}*/gu)]
  for (const [n, { 0: letter, index }] of starts.entries()) {
    const next = starts[n + 1]
    const one = plainWords(letter)
    if (sought.has(one)) mark(at + index, at + index + letter.length)
    if (next && sought.has(plainWords(letter + next[0]).replace(' ', '')))
      mark(at + index, at + next.index + next[0].length)
  }
  for (const { 0: run, index } of word.matchAll(/[a-z0-9]+/gi))
    if (askedLexemes(plainWords(run)).some((lexeme) => sought.has(lexeme))) mark(at + index, at + index + run.length)
}
