/** Draws a product's picture, for demo shops: the same SKU always gives the same thing in the same colours. Loads the image library. */
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
}
const names = Object.keys(things)

/** A PNG of 800 × 800 pixels, of the thing that the title names if it is one that can be drawn. */
export function drawProduct(sku: string, title = ''): Promise<Buffer> {
  return sharp(Buffer.from(drawing(sku, title)))
    .png({ compressionLevel: 4 })
    .toBuffer()
}

function drawing(sku: string, title: string): string {
  const digest = createHash('sha256').update(sku).digest()
  const hue = Math.round((digest.readUInt16BE(0) / 65_536) * 360)
  const wall = (hue + 150 + ((digest[2] ?? 0) % 60)) % 360
  const named = names.find((name) => title.toLowerCase().includes(name))
  const thing = things[named ?? (names[(digest[3] ?? 0) % names.length] as string)] as NonNullable<
    (typeof things)[string]
  >
  const colours = { fill: `hsl(${hue},55%,52%)`, light: `hsl(${hue},62%,64%)`, dark: `hsl(${hue},50%,33%)` }
  const turned = (digest[4] ?? 0) % 2 === 0 ? '' : ` transform="translate(${EDGE} 0) scale(-1 1)"`
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${EDGE}" height="${EDGE}">
    <rect width="${EDGE}" height="${EDGE}" fill="hsl(${wall},35%,92%)"/><rect y="540" width="${EDGE}" height="260" fill="hsl(${wall},28%,82%)"/>
    <ellipse cx="410" cy="612" rx="230" ry="26" fill="hsl(${wall},25%,68%)"/><g${turned}>${thing(colours)}</g></svg>`
}
