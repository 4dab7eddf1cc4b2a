/** Numbers as people write them in files, read exactly: prices into minor units by their digits, never through floats. */
import { exponentOf as exponentIn } from '../../engine/currency.ts'

/** A number read, or why not. */
export type Reading = { value: number } | { refused: string }

/** A price read, with the currency it named (a code or sign beside the number) or the one that holds for the file. */
export type PriceReading = { amount: number; currency: string } | { refused: string }

/** Decimal places of a currency: EUR 2, JPY 0, KWD 3; 2 of those that are history. */
const exponentOf = (currency: string): number => exponentIn(currency) ?? 2

// A sign that several currencies share says nothing against any of them.
const signs: Record<string, string[]> = {
  '€': ['EUR'],
  '£': ['GBP', 'EGP', 'GIP', 'FKP', 'SHP'],
  '¥': ['JPY', 'CNY'],
  '₹': ['INR'],
  $: 'USD CAD AUD NZD SGD HKD MXN BRL TWD CLP COP ARS'.split(' '),
}

/** How a file writes decimals, where that is known: then `1,299` has one reading. */
export type DecimalMark = '.' | ','

/** Reads a price. `currency` holds where the text names none. Refuses what has two readings, such as `1,299`, unless the mark is given. */
export function readPrice(text: string, currency: string, mark?: DecimalMark): PriceReading {
  let digits = text.trim()
  const code = /^([A-Z]{3})\s*(?=[-\d.,])|(?<=[\d.,])\s*([A-Z]{3})$/.exec(digits)
  if (code) {
    currency = code[1] ?? code[2] ?? currency
    digits = digits.replace(code[0], '').trim()
  } else {
    const sign = /^[€£¥₹$]|[€£¥₹$]$/.exec(digits)
    if (sign) {
      if (!signs[sign[0]]?.includes(currency)) return { refused: `in ${sign[0]}, but the currency is ${currency}` }
      digits = digits.replace(sign[0], '').trim()
    }
  }
  const exponent = exponentOf(currency)
  const plain = plainDecimal(digits, exponent, mark)
  if ('refused' in plain) return plain
  if (plain.negative && plain.digits !== '0') return { refused: 'negative' }
  const fraction = plain.fraction.replace(/0+$/, '')
  if (fraction.length > exponent) return { refused: `more decimal places than ${currency} has (${exponent})` }
  const amount = Number(plain.digits + fraction.padEnd(exponent, '0'))
  return Number.isSafeInteger(amount) ? { amount, currency } : { refused: 'too large' }
}

/** Reads what something is to cost from now on: refuses what is in no currency in use as well, in which nothing could be sold. What was sold was sold. */
export function readNewPrice(text: string, currency: string, mark?: DecimalMark): PriceReading {
  const read = readPrice(text, currency, mark)
  if ('refused' in read || exponentIn(read.currency) !== undefined) return read
  return { refused: `in ${read.currency}, which is no currency of ISO 4217 that is in use` }
}

/** Reads a whole number of units; `12.0` is one, `1,200` too, `1.5` and `1.200` are none. May be negative. */
export function readQuantity(text: string): Reading {
  const plain = plainDecimal(text.trim(), 0)
  if ('refused' in plain) return plain
  if (/[1-9]/.test(plain.fraction)) return { refused: 'not a whole number' }
  const value = Number(plain.digits)
  if (value > 1_000_000_000) return { refused: 'too large' }
  return { value: plain.negative && value !== 0 ? -value : value }
}

// By thousands, or Indian: 12,34,567. Never two kinds of mark.
const grouped = /^\d{1,3}(?:(?:,\d{3})+|(?:\.\d{3})+|(?:(?<=^\d\d?),\d\d)+,\d{3})$/

type Plain = { negative: boolean; digits: string; fraction: string }

/** Takes grouping apart. `places` is how many decimals the number may have: it settles some texts that have two readings otherwise. */
function plainDecimal(text: string, places: number, known?: DecimalMark): Plain | { refused: string } {
  if (text === '') return { refused: 'empty' }
  const match = /^([-+−]?)((?:\d[\d.,\s'’_]*)?[.,]?\d*)$/u.exec(text)
  if (!match?.[2] || !/\d/.test(match[2])) {
    return {
      refused: /^\d+(\.\d+)?E[+-]?\d+$/i.test(text)
        ? 'cut short by a spreadsheet (scientific notation)'
        : 'not a number',
    }
  }
  const negative = match[1] === '-' || match[1] === '−'
  const whole = (digits: string) => ({ negative, digits: digits.replace(/^0+(?=\d)/, ''), fraction: '' })
  const split = (at: number, number: string, thousands: RegExp): Plain | { refused: string } => {
    const digits = number.slice(0, at)
    if (!/^\d*$/.test(digits) && !thousands.test(digits)) return { refused: 'digits grouped oddly' }
    return { ...whole(digits.replace(/\D/g, '') || '0'), fraction: number.slice(at + 1) }
  }

  // Spaces (narrow ones too) and apostrophes only ever group thousands.
  let number = match[2]
  if (/[\s'’_]/u.test(number)) {
    if (!/^\d{1,3}([\s'’_]\d{3})+([.,]\d*)?$/u.test(number)) return { refused: 'digits grouped oddly' }
    number = number.replace(/[\s'’_]/gu, '')
    const mark = number.search(/[.,]/)
    return mark < 0 ? whole(number) : split(mark, number, /^$/)
  }
  const point = number.lastIndexOf('.')
  const comma = number.lastIndexOf(',')
  if (point < 0 && comma < 0) return whole(number)
  if (point >= 0 && comma >= 0) {
    return point > comma ? split(point, number, grouped) : split(comma, number, grouped)
  }
  const mark = point >= 0 ? '.' : ','
  const at = Math.max(point, comma)
  if (number.indexOf(mark) !== at) {
    return grouped.test(number) ? whole(number.replace(/\D/g, '')) : { refused: 'digits grouped oddly' }
  }
  if (/^[1-9]\d{0,2}[.,]\d{3}$/.test(number)) {
    // One mark before three digits: thousands or decimals? A point before as many places as the currency has is a decimal point;
    // a comma where no decimals exist groups thousands.
    if (known !== undefined) return mark === known ? split(at, number, /^$/) : whole(number.replace(mark, ''))
    if (mark === '.' && places === 3) return split(at, number, /^$/)
    if (mark === ',' && places === 0) return whole(number.replace(',', ''))
    return { refused: twoReadings(number, mark) }
  }
  return split(at, number, /^$/)
}

function twoReadings(number: string, mark: string): string {
  const digits = number.replace(mark, '')
  return `has two readings, ${digits} and ${number.replace(mark, '.')}: write it without grouping, or say --decimal-mark`
}
