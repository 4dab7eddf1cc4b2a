/** A customer's preferences: what may be said of them, the form they are kept in, and how two of their versions differ. */
import { isDeepStrictEqual } from 'node:util'
import { z } from 'zod'
import type { FieldChange } from '../../engine/event.ts'
import { plainText } from '../../engine/text.ts'
import type { Preferences } from './events.ts'

/** What a customer may be told about, and how. */
export const topics = ['order_status', 'marketing', 'back_in_stock', 'low_stock', 'price_drop', 'newsletter'] as const
const channel = z.enum(['email', 'sms', 'push'])

/** A word as programs write them. Preferences stay readable in events for good, so none takes a sentence. */
const word = (max: number) =>
  plainText(max).regex(
    /^[a-zA-Z0-9][\w.:+-]*$/,
    'must be one word: a letter or digit, then letters, digits and any of _ . : + -',
  )
const named = <Value extends z.ZodType>(value: Value, max: number) =>
  z.record(word(50), value).refine((record) => Object.keys(record).length <= max, `must have at most ${max} entries`)

const consentInput = z.strictObject({ granted: z.boolean(), source: word(50), textVersion: word(50) })

/** All of them, as `PUT /customers/:id/preferences` gives them: what is left out is no longer wanted, and a consent left out no longer stands. */
export const preferencesInput = z.strictObject({
  channels: z.partialRecord(z.enum(topics), z.union([z.literal('none'), z.array(channel).max(3)])).optional(),
  locale: plainText(35).refine(isLocale, 'must be a language tag like de-CH').nullable().optional(),
  ui: named(z.union([word(30), z.int().min(-10_000).max(10_000), z.boolean()]), 50).optional(),
  consents: named(consentInput, 50).optional(),
})
export type PreferencesInput = z.infer<typeof preferencesInput>

/** In the one form they are kept in, except for the times of consents, which the decider sets. */
export type NormalPreferences = Omit<Preferences, 'consents'> & {
  consents: Record<string, z.infer<typeof consentInput>>
}

export const noPreferences: Preferences = { channels: {}, locale: null, ui: {}, consents: {} }

export function normalPreferences({
  channels = {},
  locale,
  ui = {},
  consents = {},
}: PreferencesInput): NormalPreferences {
  const wanted = Object.entries(channels).map(([topic, list]) => [
    topic,
    list === 'none' ? [] : [...new Set(list)].sort(),
  ])
  return {
    channels: Object.fromEntries(wanted),
    locale: locale ? (Intl.getCanonicalLocales(locale)[0] ?? null) : null,
    ui: Object.fromEntries(
      Object.entries(ui).map(([name, value]) => [name, typeof value === 'number' ? value + 0 : value]),
    ),
    consents: { ...consents },
  }
}

function isLocale(text: string): boolean {
  try {
    return Intl.getCanonicalLocales(text).length === 1
  } catch {
    return false
  }
}

/** A consent said again unchanged keeps its time. */
export function withTimes({ consents, ...rest }: NormalPreferences, before: Preferences, at: string): Preferences {
  const standing = new Map(Object.entries(before.consents))
  const timed = Object.entries(consents).map(([purpose, given]) => {
    const had = standing.get(purpose)
    const same = had !== undefined && isDeepStrictEqual({ ...given, at: had.at }, had)
    return [
      purpose,
      { granted: given.granted, at: same ? had.at : at, source: given.source, textVersion: given.textVersion },
    ]
  })
  return { ...rest, consents: Object.fromEntries(timed) }
}

/** What changed, entry by entry: `channels.marketing`, `locale`, `ui.theme`, `consents.newsletter`. */
export function changesBetween(before: Preferences, after: Preferences): FieldChange[] {
  const changes: FieldChange[] = []
  const compare = (field: string, oldValue: unknown = null, newValue: unknown = null) => {
    if (!isDeepStrictEqual(oldValue, newValue)) changes.push({ field, oldValue, newValue })
  }
  for (const part of ['channels', 'ui', 'consents'] as const) {
    // Maps, since a name may be one that every object knows: `constructor`.
    const was = new Map<string, unknown>(Object.entries(before[part]))
    const is = new Map<string, unknown>(Object.entries(after[part]))
    for (const name of new Set([...was.keys(), ...is.keys()])) compare(`${part}.${name}`, was.get(name), is.get(name))
  }
  compare('locale', before.locale, after.locale)
  return changes
}
