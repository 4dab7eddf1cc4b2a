import fc from 'fast-check'
import { expect, test } from 'vitest'
import { matches, parseSyncToken, syncToken } from './event.ts'
import { likePattern } from './log.ts'

const word = fc.stringMatching(/^[a-z_%\\]{1,6}$/)
const type = fc.array(word, { minLength: 1, maxLength: 3 }).map((words) => words.join('.'))

/** What Postgres makes of a LIKE pattern with the backslash as escape. */
function like(pattern: string, text: string): boolean {
  let expression = ''
  for (let at = 0; at < pattern.length; at++) {
    const character = pattern[at] as string
    if (character === '\\') expression += `\\u${pattern.charCodeAt(++at).toString(16).padStart(4, '0')}`
    else if (character === '%') expression += '[^]*'
    else if (character === '_') expression += '[^]'
    else expression += `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
  }
  return new RegExp(`^${expression}$`).test(text)
}

test('the database finds the types that a consumer takes, whatever they are made of', () => {
  fc.assert(
    fc.property(type, type, fc.boolean(), (one, other, below) => {
      const pattern = below ? `${one}.*` : one
      for (const each of [one, other, `${one}.${other}`, `${one}x`])
        expect(like(likePattern(pattern), each)).toBe(matches(pattern, each))
      expect(like(likePattern('*'), other)).toBe(true)
    }),
  )
})

test.each([
  ['product.*', 'product.updated', true],
  ['product.*', 'product', false],
  ['product.*', 'productx.updated', false],
  ['product.updated', 'product.updated', true],
  ['product.updated', 'product.updated.twice', false],
  ['*', 'anything.at.all', true],
])('%s takes %s: %s', (pattern, type, taken) => {
  expect(matches(pattern, type)).toBe(taken)
})

test('a sync token says which entity and version it was made of', () => {
  fc.assert(
    fc.property(word, fc.stringMatching(/^[^@\n]{1,20}$/), fc.nat(), (kind, id, version) => {
      const entity = `${kind}/${id}`
      expect(parseSyncToken(syncToken(entity, version))).toEqual({ entity, version })
    }),
  )
})

test.each([
  '',
  'product/1',
  'product@1',
  '@1',
  'product/1@',
  'product/1@-1',
  'product/1@1.5',
  'product/1@9999999999999999',
])('%j is no sync token, and the error shows one', (token) => {
  expect(() => parseSyncToken(token)).toThrow('product/123@57')
})
