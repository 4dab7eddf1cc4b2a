/** Draws a product's picture, for demo shops: what its title names, in colours that are always the same for its SKU. Loads the image library. */
import { createHash } from 'node:crypto'
import sharp from 'sharp'

const EDGE = 800

/** Things on a table, in the colours `fill`, `light` and `dark`; the table's edge is at y = 610. */
const things: Record<string, (colours: { fill: string; light: string; dark: string }) => string> = {
  lamp: ({ fill, light, dark }) =>
    `<path d="M290 330 L350 190 H450 L510 330 Z" fill="${fill}"/><path d="M350 190 H400 L385 330 H290 Z" fill="${light}"/>
     <rect x="390" y="330" width="20" height="260" fill="${dark}"/><ellipse cx="400" cy="598" rx="95" ry="20" fill="${dark}"/>`,
  mug: ({ fill, light, dark }) =>
    `<path d="M535 380 q110 0 110 85 t-125 85" fill="none" stroke="${dark}" stroke-width="34"/>
     <path d="M265 320 H545 V545 q0 65 -65 65 H330 q-65 0 -65 -65 Z" fill="${fill}"/><path d="M265 320 H345 V610 H330 q-65 0 -65 -65 Z" fill="${light}"/>
     <ellipse cx="405" cy="320" rx="140" ry="30" fill="${dark}"/>`,
  vase: ({ fill, light, dark }) =>
    `<path d="M350 200 H450 L435 290 C560 370 540 560 460 610 H340 C260 560 240 370 365 290 Z" fill="${fill}"/>
     <path d="M350 200 H385 L385 290 C300 370 300 560 370 610 H340 C260 560 240 370 365 290 Z" fill="${light}"/><ellipse cx="400" cy="200" rx="50" ry="12" fill="${dark}"/>`,
  chair: ({ fill, light, dark }) =>
    `<path d="M300 610 L315 420 M500 610 L485 420 M345 590 V420 M455 590 V420" stroke="${dark}" stroke-width="20"/>
     <path d="M300 190 H500 L490 400 H310 Z" fill="${fill}"/><rect x="325" y="220" width="60" height="160" rx="20" fill="${light}"/>
     <rect x="280" y="395" width="240" height="45" rx="18" fill="${dark}"/>`,
  bowl: ({ fill, light, dark }) =>
    `<path d="M200 400 H600 q-10 210 -200 210 T200 400 Z" fill="${fill}"/><path d="M200 400 H280 q10 190 110 210 Q210 600 200 400 Z" fill="${light}"/>
     <ellipse cx="400" cy="400" rx="200" ry="40" fill="${dark}"/>`,
  bag: ({ fill, light, dark }) =>
    `<path d="M320 320 v-50 q0 -80 80 -80 t80 80 v50" fill="none" stroke="${dark}" stroke-width="22"/>
     <path d="M250 310 H550 L580 610 H220 Z" fill="${fill}"/><path d="M250 310 H330 L320 610 H220 Z" fill="${light}"/>`,
  bottle: ({ fill, light, dark }) =>
    `<rect x="365" y="170" width="70" height="60" rx="8" fill="${dark}"/><path d="M370 230 H430 V300 q70 30 70 110 V580 q0 30 -30 30 H330 q-30 0 -30 -30 V410 q0 -80 70 -110 Z" fill="${fill}"/>
     <rect x="325" y="400" width="28" height="180" rx="14" fill="${light}"/>`,
  shirt: ({ fill, light, dark }) =>
    `<path d="M310 210 q90 70 180 0 L640 290 L590 400 L530 370 V610 H270 V370 L210 400 L160 290 Z" fill="${fill}"/>
     <path d="M270 370 L270 610 H345 V250 L310 210 Z" fill="${light}"/><path d="M310 210 q90 70 180 0" fill="none" stroke="${dark}" stroke-width="18"/>`,
  candle: ({ fill, light, dark }) =>
    `<rect x="335" y="330" width="130" height="280" rx="14" fill="${fill}"/><rect x="335" y="330" width="44" height="280" rx="14" fill="${light}"/>
     <path d="M400 330 V295" stroke="${dark}" stroke-width="9"/><path d="M400 180 q52 66 0 120 q-52 -54 0 -120 Z" fill="hsl(40,95%,60%)"/>`,
  pan: ({ fill, light, dark }) =>
    `<rect x="500" y="492" width="210" height="26" rx="13" fill="${dark}"/><path d="M160 480 H540 L512 590 q-5 20 -30 20 H218 q-25 0 -30 -20 Z" fill="${fill}"/>
     <path d="M160 480 H240 L258 610 H218 q-25 0 -30 -20 Z" fill="${light}"/><ellipse cx="350" cy="480" rx="190" ry="28" fill="${dark}"/>`,
  notebook: ({ fill, light, dark }) =>
    `<rect x="265" y="210" width="270" height="400" rx="18" fill="${fill}"/><path d="M283 210 H325 V610 H283 q-18 0 -18 -18 V228 q0 -18 18 -18 Z" fill="${light}"/>
     <rect x="484" y="210" width="16" height="400" fill="${dark}"/>`,
  parcel: ({ fill, light, dark }) =>
    `<rect x="245" y="350" width="310" height="260" fill="${fill}"/><rect x="245" y="350" width="80" height="260" fill="${light}"/>
     <rect x="228" y="300" width="344" height="62" rx="8" fill="${fill}"/><rect x="378" y="300" width="44" height="310" fill="${dark}"/>
     <path d="M400 300 q-40 -110 -105 -80 q-50 40 105 80 q155 -40 105 -80 q-65 -30 -105 80 Z" fill="none" stroke="${dark}" stroke-width="20"/>`,
}

/** Other words for them. */
const alike: Record<string, string> = {
  light: 'lamp',
  lantern: 'lamp',
  bulb: 'lamp',
  cup: 'mug',
  stool: 'chair',
  plate: 'bowl',
  casserole: 'bowl',
  tote: 'bag',
  backpack: 'bag',
  pouch: 'bag',
  sack: 'bag',
  pannier: 'bag',
  weekender: 'bag',
  planner: 'notebook',
}

/** What a title names last, of what can be drawn; anything else comes in a parcel. */
export function thingOf(title: string): string {
  const words = title.toLowerCase().match(/\p{L}+/gu) ?? []
  const singular = words.flatMap((word) => [word, word.replace(/s$/, '')])
  const named = singular.map((word) => (Object.hasOwn(alike, word) ? (alike[word] as string) : word))
  return named.findLast((word) => Object.hasOwn(things, word)) ?? 'parcel'
}

/** A PNG of 800 × 800 pixels. */
export function drawProduct(sku: string, title = ''): Promise<Buffer> {
  return sharp(Buffer.from(drawing(sku, title)))
    .png({ compressionLevel: 4 })
    .toBuffer()
}

function drawing(sku: string, title: string): string {
  const digest = createHash('sha256').update(sku).digest()
  const hue = Math.round((digest.readUInt16BE(0) / 65_536) * 360)
  const wall = (hue + 150 + ((digest[2] ?? 0) % 60)) % 360
  const thing = things[thingOf(title)] as NonNullable<(typeof things)[string]>
  const colours = { fill: `hsl(${hue},55%,52%)`, light: `hsl(${hue},62%,64%)`, dark: `hsl(${hue},50%,33%)` }
  const turned = (digest[4] ?? 0) % 2 === 0 ? '' : ` transform="translate(${EDGE} 0) scale(-1 1)"`
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${EDGE}" height="${EDGE}">
    <rect width="${EDGE}" height="${EDGE}" fill="hsl(${wall},35%,92%)"/><rect y="540" width="${EDGE}" height="260" fill="hsl(${wall},28%,82%)"/>
    <ellipse cx="410" cy="612" rx="230" ry="26" fill="hsl(${wall},25%,68%)"/><g${turned}>${thing(colours)}</g></svg>`
}
