import { expect, test } from 'vitest'
import { readLanguages } from './messages.ts'

const { foundInWords } = await import(new URL('./page/wording.js', import.meta.url).href)

test.each([
  ['en', 1, true, '1 product'],
  ['en', 1_000, true, '1,000 products'],
  ['en', 4_127, false, 'about 4,100 products'],
  ['en', 1_234_567, false, 'about 1,200,000 products'],
  ['de', 1, true, '1 Produkt'],
  ['de', 4_127, false, 'etwa 4.100 Produkte'],
])('in %s the shop’s page says of %d found, counted: %s, %j', (locale, total, exact, said) => {
  expect(foundInWords(total, exact, { locale, ...readLanguages().get(locale)?.messages.page })).toBe(said)
})
