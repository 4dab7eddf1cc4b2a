/** How text becomes searchable: the same folding for what is indexed and what is asked. */

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
  return folded.replace(isAscii(folded) ? /[^a-z0-9]+/g : /[^\p{L}\p{N}]+/gu, ' ').trim()
}

/** For `websearch_to_tsquery`: words, "phrases" and -exclusions stay, whatever else was typed is space. */
export function askedWords(q: string): string {
  return fold(q)
    .replace(/[^\p{L}\p{N}"-]+/gu, ' ')
    .replace(/(?<!^|[\s"])-+|-+(?=[\s"-]|$)/g, ' ')
    .replace(/ +/g, ' ')
    .trim()
}

/** An exact thing to look up: `sku:kit-1`, `tag:summer`. */
export function lookupKey(kind: 'sku' | 'category' | 'vendor' | 'tag', value: string): string {
  return `${kind}:${fold(value.trim())}`
}
