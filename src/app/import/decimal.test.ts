import { expect, test } from 'vitest'
import { readNewPrice, readPrice, readQuantity } from './decimal.ts'

test.each([
  ['19.99', 'EUR', 1999],
  ['19,99', 'EUR', 1999],
  ['19.9', 'EUR', 1990],
  ['.5', 'EUR', 50],
  ['0', 'EUR', 0],
  ['-0.00', 'EUR', 0],
  ['1,299.00', 'EUR', 129900],
  ['1.299,00', 'EUR', 129900],
  ['1 299,00', 'EUR', 129900],
  ["1'299.50", 'CHF', 129950],
  ['1,299,000', 'EUR', 129900000],
  ['1,299', 'JPY', 1299],
  ['1299', 'JPY', 1299],
  ['1299.00', 'JPY', 1299],
  ['1.299', 'KWD', 1299],
  ['2.5', 'KWD', 2500],
  ['9.9900', 'EUR', 999],
  ['0.29', 'EUR', 29],
  ['1.15', 'EUR', 115],
  ['4.35', 'EUR', 435],
  ['8.675', 'BHD', 8675],
  ['€ 12,50', 'EUR', 1250],
  ['$9.99', 'USD', 999],
  ['₹1,23,456.00', 'INR', 12345600],
  ['12,34,567', 'INR', 123456700],
])('%s in %s is %d minor units', (text, currency, amount) => {
  expect(readPrice(text, currency)).toEqual({ amount, currency })
})

test('what was sold in a currency that is history was sold; nothing costs anything in it from now on', () => {
  expect(readPrice('13.50 HRK', 'EUR')).toEqual({ amount: 1350, currency: 'HRK' })
  for (const [text, currency] of [
    ['13.50 HRK', 'EUR'],
    ['13.50', 'DEM'],
  ] as const)
    expect(readNewPrice(text, currency)).toEqual({
      refused: expect.stringMatching(/^in (HRK|DEM), which is no currency/),
    })
  expect(readNewPrice('13.50', 'EUR')).toEqual({ amount: 1350, currency: 'EUR' })
})

test('where the decimal mark is known, nothing has two readings', () => {
  expect(readPrice('1,299', 'INR', '.')).toEqual({ amount: 129900, currency: 'INR' })
  expect(readPrice('1.299', 'EUR', ',')).toEqual({ amount: 129900, currency: 'EUR' })
  expect(readPrice('12,500', 'KWD', ',')).toEqual({ amount: 12500, currency: 'KWD' })
  expect(readPrice('1,299', 'EUR', ',')).toHaveProperty('refused')
})

test('a price that names its currency has that one', () => {
  expect(readPrice('9.99 USD', 'EUR')).toEqual({ amount: 999, currency: 'USD' })
  expect(readPrice('JPY 500', 'EUR')).toEqual({ amount: 500, currency: 'JPY' })
})

test.each([
  ['1,299', 'EUR', /two readings, 1299 and 1.299/],
  ['1.299', 'EUR', /two readings/],
  ['1,299', 'KWD', /two readings/],
  ['1.299', 'JPY', /two readings/],
  ['9.9999', 'EUR', /more decimal places than EUR has/],
  ['9.5', 'JPY', /more decimal places than JPY has/],
  ['-1', 'EUR', /negative/],
  ['€5', 'USD', /in €, but the currency is USD/],
  ['abc', 'EUR', /not a number/],
  ['1e3', 'EUR', /scientific/],
  ['12,34,56', 'EUR', /grouped oddly/],
  ['99999999999999999', 'EUR', /too large/],
  ['', 'EUR', /empty/],
])('%s in %s is refused', (text, currency, reason) => {
  expect(readPrice(text, currency)).toEqual({ refused: expect.stringMatching(reason) })
})

test.each([
  ['12', 12],
  ['-3', -3],
  ['12.0', 12],
  ['1,200', 1200],
  [' 7 ', 7],
])('%s is a quantity', (text, value) => expect(readQuantity(text)).toEqual({ value }))

test.each(['1.5', '1.200', 'many', '1e20', '99999999999'])('%s is no quantity', (text) => {
  expect(readQuantity(text)).toHaveProperty('refused')
})
