// What the shop's page says, in the visitor's language.

export const filled = (message, values) => message.replace(/\{(\w+)\}/g, (place, name) => values[name] ?? place)

/** `1,240 products`; of an estimate no more digits than it is good for: `about 1,200 products`. */
export function foundInWords(total, exact, { locale, found, about }) {
  if (exact) return counted(found, total, locale)
  return filled(about, { found: counted(found, Number(total.toPrecision(2)), locale) })
}

const counted = (forms, number, locale) =>
  filled(forms[new Intl.PluralRules(locale).select(number)] ?? forms.other, {
    count: new Intl.NumberFormat(locale).format(number),
  })
