/** What the demo sells: sixty products in six categories with their first counts, made up but the same everywhere. Pure. */
import { type NormalProduct, normalProduct } from '../../services/catalog/product.ts'
import { randomFrom } from './random.ts'

export const demoWarehouses = [
  { id: 'main', name: 'Hamburg', priority: 0, leadDays: [1, 2] },
  { id: 'rotterdam', name: 'Rotterdam', priority: 10, leadDays: [2, 4] },
  { id: 'lyon', name: 'Lyon', priority: 20, leadDays: [3, 5] },
] as const

/** Title, price in cents, vendor, material, and the option it comes in. */
type Line = [title: string, cents: number, vendor: string, material: string, option?: 'color' | 'size' | 'roast']

const shelves: Record<string, { code: string; tags: string[]; lines: Line[] }> = {
  'Coffee & Tea': {
    code: 'CT',
    tags: ['kitchen', 'gift'],
    lines: [
      ['Harbour Espresso Beans', 1490, 'Nordlicht Kaffee', 'arabica', 'roast'],
      ['Morning Filter Blend', 1290, 'Nordlicht Kaffee', 'arabica', 'roast'],
      ['Stoneware Pour-Over Dripper', 3490, 'Atelier Lund', 'stoneware', 'color'],
      ['Gooseneck Kettle', 7990, 'Brew & Sons', 'steel', 'color'],
      ['Double-Wall Espresso Glasses', 2490, 'Brew & Sons', 'glass'],
      ['Hand Grinder Number Two', 8900, 'Brew & Sons', 'steel'],
      ['Sencha from Uji', 1890, 'Teehaus Ost', 'green tea', 'size'],
      ['Smoky Breakfast Tea', 1190, 'Teehaus Ost', 'black tea', 'size'],
      ['Cast Iron Teapot', 6490, 'Teehaus Ost', 'cast iron'],
      ['Linen Coffee Filter', 990, 'Atelier Lund', 'linen'],
    ],
  },
  Kitchen: {
    code: 'KI',
    tags: ['kitchen'],
    lines: [
      ['Carbon Steel Pan', 5990, 'Schmiede Ruhr', 'carbon steel', 'size'],
      ['Enamel Casserole', 8990, 'Schmiede Ruhr', 'enamel', 'color'],
      ['Petty Knife', 7400, 'Schmiede Ruhr', 'carbon steel'],
      ['Oak Cutting Board', 3990, 'Holzfreunde', 'oak', 'size'],
      ['Olive Wood Spoon', 890, 'Holzfreunde', 'olive wood'],
      ['Everyday Bowl', 1690, 'Atelier Lund', 'stoneware', 'color'],
      ['Dinner Plate', 1990, 'Atelier Lund', 'stoneware', 'color'],
      ['Waffle Weave Towel', 1290, 'Weberei Klar', 'cotton', 'color'],
      ['Beeswax Wraps', 1590, 'Weberei Klar', 'cotton'],
      ['Salt Pig', 2290, 'Atelier Lund', 'stoneware'],
    ],
  },
  Bags: {
    code: 'BA',
    tags: ['travel'],
    lines: [
      ['Roll-Top Backpack', 11900, 'Kurier Works', 'recycled nylon', 'color'],
      ['Weekender', 14900, 'Kurier Works', 'waxed canvas', 'color'],
      ['Market Tote', 2490, 'Weberei Klar', 'cotton', 'color'],
      ['Sling Pouch', 4490, 'Kurier Works', 'recycled nylon', 'color'],
      ['Laptop Sleeve', 3990, 'Kurier Works', 'wool felt', 'size'],
      ['Wash Bag', 2990, 'Kurier Works', 'waxed canvas'],
      ['Card Holder', 2790, 'Sattlerei Moor', 'leather', 'color'],
      ['Key Loop', 1290, 'Sattlerei Moor', 'leather', 'color'],
      ['Bike Pannier', 8990, 'Kurier Works', 'tarpaulin', 'color'],
      ['Bread Bag', 1490, 'Weberei Klar', 'linen'],
    ],
  },
  Lighting: {
    code: 'LI',
    tags: ['home'],
    lines: [
      ['Paper Pendant Lamp', 4990, 'Studio Halm', 'paper', 'size'],
      ['Mushroom Table Lamp', 7990, 'Studio Halm', 'steel', 'color'],
      ['Clamp Light', 4490, 'Studio Halm', 'steel', 'color'],
      ['Rechargeable Lantern', 5990, 'Feldweg', 'aluminium', 'color'],
      ['Beeswax Candles', 1790, 'Holzfreunde', 'beeswax', 'size'],
      ['Brass Candle Holder', 2890, 'Studio Halm', 'brass'],
      ['Reading Lamp', 9900, 'Studio Halm', 'aluminium', 'color'],
      ['String Lights', 2490, 'Feldweg', 'copper', 'size'],
      ['Night Light', 1990, 'Studio Halm', 'glass'],
      ['Filament Bulb', 890, 'Studio Halm', 'glass'],
    ],
  },
  Desk: {
    code: 'DE',
    tags: ['work', 'gift'],
    lines: [
      ['Dot Grid Notebook', 1490, 'Papiermühle', 'paper', 'color'],
      ['Weekly Planner', 1890, 'Papiermühle', 'paper'],
      ['Brass Ballpoint', 3490, 'Papiermühle', 'brass'],
      ['Fountain Pen', 4990, 'Papiermühle', 'resin', 'color'],
      ['Ink Bottle', 1190, 'Papiermühle', 'ink', 'color'],
      ['Felt Desk Mat', 3990, 'Weberei Klar', 'wool felt', 'size'],
      ['Oak Monitor Stand', 7990, 'Holzfreunde', 'oak'],
      ['Pencil Set', 990, 'Papiermühle', 'cedar'],
      ['Steel Ruler', 790, 'Schmiede Ruhr', 'steel', 'size'],
      ['Tape Dispenser', 2990, 'Schmiede Ruhr', 'cast iron'],
    ],
  },
  Outdoor: {
    code: 'OU',
    tags: ['travel', 'outdoor'],
    lines: [
      ['Enamel Camp Mug', 1490, 'Feldweg', 'enamel', 'color'],
      ['Titanium Spork', 1290, 'Feldweg', 'titanium'],
      ['Insulated Bottle', 3290, 'Feldweg', 'steel', 'size'],
      ['Merino Blanket', 12900, 'Weberei Klar', 'merino', 'color'],
      ['Folding Stool', 4990, 'Feldweg', 'aluminium'],
      ['Pocket Knife', 3990, 'Schmiede Ruhr', 'carbon steel', 'color'],
      ['Fire Steel', 1690, 'Schmiede Ruhr', 'ferrocerium'],
      ['Dry Sack', 2190, 'Kurier Works', 'recycled nylon', 'size'],
      ['Hammock', 6990, 'Feldweg', 'recycled nylon', 'color'],
      ['Trail Map Case', 1990, 'Feldweg', 'tarpaulin'],
    ],
  },
}

const options = {
  color: { name: 'Color', values: ['Black', 'Sand', 'Moss', 'Rust'] },
  size: { name: 'Size', values: ['Small', 'Medium', 'Large'] },
  roast: { name: 'Roast', values: ['Light', 'Dark'] },
}

export interface DemoProduct {
  product: NormalProduct
  /** First counts. */
  stock: { sku: string; warehouseId: string; quantity: number }[]
}

/** All of it, the same at every call. */
export function demoProducts(): DemoProduct[] {
  const random = randomFrom(20_260_101)
  const among = <One>(all: readonly One[]) => all[Math.floor(random() * all.length)] as One
  return Object.entries(shelves).flatMap(([category, { code, tags, lines }]) =>
    lines.map(([title, cents, vendor, material, option], n): DemoProduct => {
      const number = `${code}-${String(n + 1).padStart(3, '0')}`
      const { name, values } = option ? options[option] : { name: '', values: [''] }
      const taken = option ? values.slice(0, 2 + Math.floor(random() * (values.length - 1))) : values
      const variants = taken.map((value, place) => ({
        sku: value ? `${number}-${value.slice(0, 3).toUpperCase()}` : number,
        ...(value && { title: value, options: { [name]: value } }),
        barcode: `40${String(1_000_000_000 + Math.floor(random() * 9_000_000_000))}`,
        price: {
          amount: option === 'size' ? Math.round((cents * (1 + place * 0.4)) / 10) * 10 : cents,
          currency: 'EUR',
        },
        ...(random() < 0.15 && { compareAtPrice: { amount: Math.round((cents * 1.6) / 100) * 100, currency: 'EUR' } }),
      }))
      const product = normalProduct({
        id: title.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-'),
        title,
        description: `${title} of ${material}, by ${vendor}. ${among(sentences)}`,
        vendorId: vendor,
        category,
        tags: [...tags, ...(random() < 0.25 ? ['new'] : []), ...(random() < 0.2 ? ['popular'] : [])],
        attributes: { material, weightGrams: 40 + Math.floor(random() * 1_800), handmade: random() < 0.4 },
        variants,
      })
      const stock = variants.flatMap(({ sku }) =>
        demoWarehouses
          .filter((_, place) => place === 0 || random() < 0.5)
          .map(({ id }) => ({ sku, warehouseId: id, quantity: Math.floor(3 + random() ** 3 * 50) })),
      )
      return { product, stock }
    }),
  )
}

const sentences = [
  'Made to be used every day and to look better for it.',
  'Comes in a plain box, without plastic.',
  'Small series; each one is a little different.',
  'Repairable: every part can be had on its own.',
  'A favourite of everybody who works here.',
]
