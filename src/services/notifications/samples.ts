/** What templates are previewed with: names and texts that a careless template would show wrongly. */
import type { Data } from '../../engine/event.ts'

const order = {
  id: 'ORDER-1042',
  status: 'fulfilled',
  createdAt: '2026-03-01T10:00:00.000Z',
  totals: [{ amount: 184_970, currency: 'EUR' }],
  lines: [
    {
      sku: 'KIT-LUNA-WHT-001',
      name: 'Luna Kitchen, White',
      quantity: 1,
      returned: 0,
      unitPrice: { amount: 159_990, currency: 'EUR' },
    },
    {
      sku: 'LAMP-1',
      name: 'Lamp "S" <new> & more',
      quantity: 2,
      returned: 1,
      unitPrice: { amount: 12_490, currency: 'EUR' },
    },
    { sku: 'SAMPLE-CARD', name: null, quantity: 3, returned: 0, unitPrice: null },
  ],
}
const unsubscribeUrl = 'https://shop.example/v1/notifications/unsubscribe/00000000-0000-4000-8000-000000000000'
const customer = { name: "Zoë O'Neil & Söhne" }

export const samples: Record<string, Data> = {
  'order-confirmed': { customer, unsubscribeUrl, order: { ...order, status: 'confirmed' } },
  'order-status': { customer, unsubscribeUrl, order },
  'stock-alert': {
    total: 3,
    out: 1,
    products: [
      {
        productId: 'luna-kitchen',
        title: 'Luna Kitchen',
        skus: [{ sku: 'KIT-LUNA-WHT-001', available: 0, threshold: 0, out: true }],
      },
      {
        productId: 'lamp',
        title: null,
        skus: [
          { sku: 'LAMP-1', available: 2, threshold: 3, out: false },
          { sku: 'LAMP-2', available: 3, threshold: 3, out: false },
        ],
      },
    ],
  },
}
