/** English words without their endings, so that `running shoes` finds `run shoe`: Porter, "An algorithm for suffix stripping" (1980). */

// Step 2 and 3: endings that become shorter ones when a vowel and a consonant stand before them.
const shortened: [RegExp, string][][] = [
  [
    [/ational$/, 'ate'],
    [/tional$/, 'tion'],
    [/enci$/, 'ence'],
    [/anci$/, 'ance'],
    [/izer$/, 'ize'],
    [/bli$/, 'ble'],
    [/alli$/, 'al'],
    [/entli$/, 'ent'],
    [/eli$/, 'e'],
    [/ousli$/, 'ous'],
    [/ization$/, 'ize'],
    [/ation$/, 'ate'],
    [/ator$/, 'ate'],
    [/alism$/, 'al'],
    [/iveness$/, 'ive'],
    [/fulness$/, 'ful'],
    [/ousness$/, 'ous'],
    [/aliti$/, 'al'],
    [/iviti$/, 'ive'],
    [/biliti$/, 'ble'],
    [/logi$/, 'log'],
  ],
  [
    [/icate$/, 'ic'],
    [/ative$/, ''],
    [/alize$/, 'al'],
    [/iciti$/, 'ic'],
    [/ical$/, 'ic'],
    [/ful$/, ''],
    [/ness$/, ''],
  ],
]
// Step 4: endings that go when two such pairs stand before them.
const dropped = /(?:al|ance|ence|er|ic|able|ible|ant|ement|ment|ent|(?<=[st])ion|ou|ism|ate|iti|ous|ive|ize)$/

const consonants = '[^aeiou][^aeiouy]*'
const vowels = '[aeiouy][aeiou]*'
const onePair = new RegExp(`^(?:${consonants})?${vowels}${consonants}`)
const exactlyOnePair = new RegExp(`^(?:${consonants})?${vowels}${consonants}(?:${vowels})?$`)
const twoPairs = new RegExp(`^(?:${consonants})?${vowels}${consonants}${vowels}${consonants}`)
const hasVowel = new RegExp(`^(?:${consonants})?[aeiouy]`)
const shortSyllable = new RegExp(`^${consonants}[aeiouy][^aeiouwxy]$`)

const known = new Map<string, string>()

/** A folded word's stem; what is not plain English letters stays as it is. */
export function stem(word: string): string {
  let found = known.get(word)
  if (found === undefined) {
    found = word.length > 2 && word.length < 40 && /^[a-z]+$/.test(word) ? stripped(word) : word
    if (known.size >= 50_000) known.clear()
    known.set(word, found)
  }
  return found
}

function stripped(given: string): string {
  // A y at the beginning counts as a consonant.
  let word = given.startsWith('y') ? `Y${given.slice(1)}` : given
  word = word.replace(/(ss|i)es$/, '$1').replace(/([^s])s$/, '$1')
  word = withoutPast(word)
  if (word.endsWith('y') && hasVowel.test(word.slice(0, -1))) word = `${word.slice(0, -1)}i`
  for (const endings of shortened) {
    const match = endings.find(([ending]) => ending.test(word))
    if (match && onePair.test(word.replace(match[0], ''))) word = word.replace(...match)
  }
  const base = word.replace(dropped, '')
  if (base !== word && twoPairs.test(base)) word = base
  if (word.endsWith('e')) {
    const without = word.slice(0, -1)
    if (twoPairs.test(without) || (exactlyOnePair.test(without) && !shortSyllable.test(without))) word = without
  }
  if (word.endsWith('ll') && twoPairs.test(word)) word = word.slice(0, -1)
  return word.toLowerCase()
}

/** Step 1b: `plastered` → `plaster`, `hopping` → `hop`, `filing` → `file`. */
function withoutPast(word: string): string {
  if (word.endsWith('eed')) return onePair.test(word.slice(0, -3)) ? word.slice(0, -1) : word
  const base = word.replace(/(?:ed|ing)$/, '')
  if (base === word || !hasVowel.test(base)) return word
  if (/(?:at|bl|iz)$/.test(base)) return `${base}e`
  if (/([^aeiouylsz])\1$/.test(base)) return base.slice(0, -1)
  return shortSyllable.test(base) ? `${base}e` : base
}
