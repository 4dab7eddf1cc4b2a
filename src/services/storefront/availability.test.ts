import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, test } from 'vitest'
import { assumed, holdingOf, inWords, type ProductInventory } from './availability.ts'
import { languageFor, readLanguages } from './messages.ts'
import { placeOf } from './storefront.ts'

const inventory = (available: number, more: Partial<ProductInventory> = {}): ProductInventory => ({
  totalQuantityAvailable: available,
  totalQuantityReserved: 0,
  isLowStock: false,
  isOutOfStock: available === 0,
  warehouseInventory: [],
  ...more,
})

const languages = readLanguages()
const availabilityOf = (inventory: ProductInventory, asked: number, low: number, locale = 'en') =>
  inWords(holdingOf(inventory, asked, low), languageFor(locale, languages))

test.each([
  [0, 1, false, 'OUT_OF_STOCK', 'Out of Stock', 'Out of Stock'],
  [-2, 1, false, 'OUT_OF_STOCK', 'Out of Stock', 'Out of Stock'],
  [1, 1, true, 'LOW_STOCK', 'Only 1 left in stock - order soon', 'Only 1 left in stock'],
  [10, 10, true, 'LOW_STOCK', 'Only 10 left in stock - order soon', 'Only 10 left in stock'],
  [10, 11, true, 'LIMITED_AVAILABILITY', 'Only 10 available', 'Limited Availability'],
  [50, 51, true, 'LIMITED_AVAILABILITY', 'Only 50 available', 'Limited Availability'],
  [11, 11, true, 'IN_STOCK', 'In Stock', 'In Stock'],
])('%d there and %d asked: available %s, %s, "%s", "%s"', (available, asked, isAvailable, displayStatus, message, label) => {
  expect(availabilityOf(inventory(available), asked, 10)).toEqual({
    isAvailable,
    displayStatus,
    message,
    label,
    leadTimeEstimate: null,
  })
})

test('what is out of stock names the day it is expected back, what is in stock its lead time', () => {
  const restock = inventory(0, { restockExpected: '2023-05-20T23:30:00Z' })
  expect(availabilityOf(restock, 1, 10).leadTimeEstimate).toBe('Expected back in stock May 20, 2023')
  expect(availabilityOf(inventory(85, { leadTime: '1-2 days' }), 1, 10).leadTimeEstimate).toBe('1-2 days')
  expect(availabilityOf(inventory(5, { leadTime: '1-2 days' }), 1, 10).leadTimeEstimate).toBeNull()
})

test('when inventory can not be asked it is in stock, as document C says', () => {
  expect(inWords(assumed, languageFor('en', languages))).toEqual({
    isAvailable: true,
    displayStatus: 'IN_STOCK',
    message: 'In Stock',
    label: 'In Stock',
    leadTimeEstimate: null,
  })
})

describe('messages', () => {
  test.each([
    [undefined, 'en'],
    ['', 'en'],
    ['de', 'de'],
    ['de-AT', 'de'],
    ['fr, de;q=0.5, en;q=0.4', 'de'],
    ['en;q=0.2, de;q=0.9', 'de'],
    ['de;q=0', 'en'],
    ['*', 'en'],
    ['__proto__, constructor', 'en'],
    [';;;,,q=', 'en'],
  ])('%s is answered in %s', (wanted, locale) => {
    expect(languageFor(wanted, languages).locale).toBe(locale)
  })

  test('another language says the same of the same stock', () => {
    expect(availabilityOf(inventory(3), 1, 10, 'de').message).toBe('Nur noch 3 auf Lager – bald bestellen')
    const restock = inventory(0, { restockExpected: '2023-05-20T23:30:00Z' })
    expect(availabilityOf(restock, 1, 10, 'de').leadTimeEstimate).toBe('Voraussichtlich wieder da am 20. Mai 2023')
    expect(availabilityOf(inventory(85, { leadTime: '1-2 days' }), 1, 10, 'de').leadTimeEstimate).toBe('1-2 Tage')
    expect(availabilityOf(inventory(85, { leadTime: '1 day' }), 1, 10, 'de').leadTimeEstimate).toBe('1 Tag')
    expect(availabilityOf(inventory(85, { leadTime: 'tomorrow' }), 1, 10, 'de').leadTimeEstimate).toBe('tomorrow')
  })

  test('a language that lacks a message is told of at the start', async () => {
    const folder = pathToFileURL(`${await mkdtemp(join(tmpdir(), 'messages-'))}/`)
    await writeFile(new URL('xx.json', folder), JSON.stringify({ IN_STOCK: 'here' }))
    expect(() => readLanguages(folder)).toThrow(/messages\/xx.json[\s\S]*OUT_OF_STOCK/)
    await rm(folder, { recursive: true })
  })
})

test('answers are kept under the keys that document C writes', () => {
  expect(placeOf('prod_1', 2).key).toBe('product_availability_prod_1_2')
})
