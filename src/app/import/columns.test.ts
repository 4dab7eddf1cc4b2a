import { expect, test } from 'vitest'
import { columnsByMap, columnsByName, mustHave, parseMap, productFields } from './columns.ts'

test('a map names columns without regard to capitals and blanks', async () => {
  const map = await parseMap('title=name, sku = Item_Code,brand=Maker,attribute.color=Colour')
  const columns = columnsByMap(['Name', 'item code', 'MAKER', 'Colour'], map, productFields)
  expect(Object.fromEntries(columns)).toEqual({
    title: 'Name',
    sku: 'item code',
    vendor: 'MAKER',
    'attribute.color': 'Colour',
  })
})

test('a column that is not there is refused with the closest and all there are', () => {
  expect(() => columnsByMap(['Name', 'Price'], { title: 'Nmae' }, productFields)).toThrow(
    'there is no column "Nmae"; closest: "Name"\ncolumns in this file: "Name", "Price"',
  )
})

test('a field that is none is refused with the closest', () => {
  expect(() => columnsByMap(['Name'], { titel: 'Name' }, productFields)).toThrow(
    /"titel" is no field; closest: "title"/,
  )
})

test('a column that is there twice is refused', () => {
  expect(() => columnsByMap(['Name', 'Name'], { title: 'Name' }, productFields)).toThrow(/several columns "Name"/)
})

test('what is missing is told together with how to say it', () => {
  const columns = columnsByName(['Naam', 'Prise'], productFields)
  expect(() => mustHave(columns, ['title', 'price'], ['Naam', 'Prise'], 'title=Name')).toThrow(
    /no column for title\nno column for price \(closest: "Prise"\)[\s\S]*--map title=Name/,
  )
})

test.each(['title', 'title=', '=x', 'a=b=c'])('%s is no map', async (text) => {
  await expect(parseMap(text)).rejects.toThrow(/not a map/)
})

test('both of Shopify’s formats are known by name', () => {
  const old = columnsByName(
    ['Handle', 'Title', 'Body (HTML)', 'Variant SKU', 'Variant Price', 'Variant Inventory Qty'],
    productFields,
  )
  expect(old.get('price')).toBe('Variant Price')
  const recent = columnsByName(
    ['URL handle', 'Title', 'SKU', 'Price', 'Compare-at price', 'Inventory quantity'],
    productFields,
  )
  expect(recent.get('handle')).toBe('URL handle')
  expect(recent.get('stock')).toBe('Inventory quantity')
})
