/** Currencies: the codes of ISO 4217 that money can be had in today, each with the number of its decimal places. One list for everybody. */

const none = 'BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF'
const three = 'BHD IQD JOD KWD LYD OMR TND'
const two =
  'AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP CRC CUP CVE CZK ' +
  'DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD ' +
  'KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP ' +
  'PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH ' +
  'USD UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG'

const places = new Map<string, number>()
for (const [codes, digits] of [[none, 0] as const, [two, 2] as const, [three, 3] as const])
  for (const code of codes.split(' ')) places.set(code, digits)

/** Decimal places of a currency's minor unit: 2 for EUR, 0 for JPY, 3 for KWD; undefined for what is no currency in use. */
export const exponentOf = (currency: string): number | undefined => places.get(currency)

/** For people: 1999 EUR is `19.99 EUR`. */
export function inWords(amount: number, currency: string): string {
  const digits = exponentOf(currency) ?? 0
  if (digits === 0) return `${amount} ${currency}`
  const text = String(Math.abs(amount)).padStart(digits + 1, '0')
  return `${amount < 0 ? '-' : ''}${text.slice(0, -digits)}.${text.slice(-digits)} ${currency}`
}
