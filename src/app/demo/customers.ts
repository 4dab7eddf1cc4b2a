/** The demo's customers: made up, the same everywhere. Pure. */
import type { Person } from '../../services/customers/events.ts'
import { type NormalPreferences, normalPreferences } from '../../services/customers/preferences.ts'
import { randomFrom } from './random.ts'

/** Nobody's name: first and last names are drawn, the addresses end in example.com. */
const firstNames = ['Ada', 'Jonas', 'Mirjam', 'Levin', 'Signe', 'Paul', 'Noor', 'Emil', 'Carla', 'Tomasz']
const lastNames = ['Bergmann', 'Lindqvist', 'de Vries', 'Moreau', 'Kowalska', 'Feldmann', 'Nygård', 'Rossi']
const towns = [
  { city: 'Hamburg', postalCode: '20457', country: 'DE', street: 'Speicherweg', locale: 'de-DE' },
  { city: 'Rotterdam', postalCode: '3011 AA', country: 'NL', street: 'Havenkade', locale: 'nl-NL' },
  { city: 'Lyon', postalCode: '69002', country: 'FR', street: 'Rue des Canuts', locale: 'fr-FR' },
  { city: 'Malmö', postalCode: '211 20', country: 'SE', street: 'Kanalgatan', locale: 'sv-SE' },
] as const

/** Twenty customers, the same at every call; the demo's orders are theirs and others'. */
export function demoCustomers(): { customerId: string; person: Person; preferences: NormalPreferences }[] {
  const random = randomFrom(20_260_102)
  const among = <One>(all: readonly One[]) => all[Math.floor(random() * all.length)] as One
  return Array.from({ length: 20 }, (_, n) => {
    const { street, locale, ...town } = among(towns)
    const name = `${among(firstNames)} ${among(lastNames)}`
    const granted = random() < 0.5
    return {
      customerId: `customer-${n + 1}`,
      person: {
        name,
        email: `customer-${n + 1}@example.com`,
        phone: random() < 0.6 ? `+49405550${String(1_000 + n)}` : null,
        addresses: [{ lines: [`${street} ${1 + Math.floor(random() * 90)}`], ...town }],
      },
      preferences: normalPreferences({
        channels: { order_status: ['email'], marketing: granted ? ['email'] : 'none', back_in_stock: ['push'] },
        locale,
        ui: { theme: among(['light', 'dark']) },
        consents: { marketing: { granted, source: 'signup', textVersion: '2026-01' } },
      }),
    }
  })
}
