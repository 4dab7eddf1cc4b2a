// The shop's page: a grid of products, found by words, told live.

import { filled, foundInWords } from './wording.js'

const words = JSON.parse(document.documentElement.dataset.words)
const { locale } = words
const at = (id) => document.getElementById(id)
const [grid, search, count, note, more, live, detail, news] = [
  'grid',
  'search',
  'count',
  'note',
  'more',
  'live',
  'detail',
  'news',
].map(at)

const FOLLOWED = 100
const products = new Map()
let shown = []
let next
let stream
let asked = 0

const percent = new Intl.NumberFormat(locale, { style: 'percent' })

function element(name, properties = {}, ...children) {
  const made = document.createElement(name)
  const { dataset, ...rest } = properties
  Object.assign(made, rest)
  Object.assign(made.dataset, dataset)
  made.append(...children.filter(Boolean))
  return made
}

function money({ amount, currency }) {
  const format = new Intl.NumberFormat(locale, { style: 'currency', currency })
  return format.format(amount / 10 ** format.resolvedOptions().maximumFractionDigits)
}

// What the card says it costs: the cheapest of what is there.
function offerOf({ variants }) {
  const there = variants.filter((variant) => variant.inStock)
  const from = there.length > 0 ? there : variants
  const [best] = from.toSorted((a, b) => a.effectivePrice.amount - b.effectivePrice.amount)
  if (!best) return undefined
  const { effectivePrice: now, price, compareAtPrice, promotion } = best
  // A price that a rule rounded is no offer.
  const before = [promotion !== null && price, compareAtPrice]
    .filter(Boolean)
    .reduce((most, each) => (each.amount > most.amount ? each : most), now)
  const sale = before.currency === now.currency && before.amount > now.amount
  return {
    now,
    sale,
    before,
    off: sale ? Math.round((1 - now.amount / before.amount) * 100) : 0,
    why: promotion,
    varies: from.some((variant) => variant.effectivePrice.amount !== now.amount),
  }
}

function priceOf(product) {
  const offer = offerOf(product)
  if (!offer) return element('span', { className: 'price' }, words.noPrice)
  const now = element('b', {}, money(offer.now))
  const [before, after = ''] = offer.varies ? words.from.split('{price}') : ['']
  const was = offer.sale ? element('s', {}, money(offer.before)) : undefined
  was?.setAttribute('aria-label', filled(words.was, { price: money(offer.before) }))
  return element(
    'span',
    { className: offer.sale ? 'price sale' : 'price' },
    before && element('small', {}, before.trim()),
    now,
    after && element('small', {}, after.trim()),
    was,
  )
}

// Drawn from the product's name, so that it is always the same.
function placeholder({ id, title }) {
  let seed = 7
  for (const sign of id) seed = (seed * 31 + sign.codePointAt(0)) % 9973
  const hue = seed % 360
  const svg = (name, attributes, ...children) => {
    const made = document.createElementNS('http://www.w3.org/2000/svg', name)
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value)
    made.append(...children)
    return made
  }
  const tone = (turn, light) => `hsl(${(hue + turn) % 360} 42% ${light}%)`
  return svg(
    'svg',
    { viewBox: '0 0 200 180', preserveAspectRatio: 'xMidYMid slice', 'aria-hidden': 'true' },
    svg('rect', { width: 200, height: 180, fill: tone(0, 84) }),
    svg('circle', { cx: 40 + (seed % 120), cy: 150, r: 86, fill: tone(28, 75) }),
    svg('circle', { cx: 165 - (seed % 90), cy: 30, r: 46, fill: tone(330, 78) }),
    svg(
      'text',
      {
        x: 100,
        y: 92,
        'text-anchor': 'middle',
        'dominant-baseline': 'central',
        'font-size': 68,
        'font-weight': 700,
        fill: tone(10, 40),
        'fill-opacity': 0.7,
      },
      [...title.trim()][0]?.toUpperCase() ?? '·',
    ),
  )
}

function pictureOf(product) {
  const { image } = product
  const picture = element('span', { className: 'picture' })
  if (!image) {
    picture.append(placeholder(product))
    return picture
  }
  const drawn = element('img', { alt: image.alt ?? '', loading: 'lazy', decoding: 'async' })
  drawn.addEventListener('error', () => drawn.replaceWith(placeholder(product)), { once: true })
  if (image.sizes?.length) {
    drawn.srcset = image.sizes.map((size) => `${size.url} ${size.width}w`).join(', ')
    drawn.sizes = '(max-width: 40rem) 50vw, 20rem'
  }
  drawn.src = image.url
  picture.append(drawn)
  return picture
}

function stockOf({ availability: { message, leadTimeEstimate, displayStatus } }) {
  const ships = displayStatus === 'IN_STOCK' && leadTimeEstimate
  const when = ships ? filled(words.ships, { days: leadTimeEstimate }) : leadTimeEstimate
  return [
    element('span', { className: 'stock' }, message),
    when && element('span', { className: 'when' }, when),
  ].filter(Boolean)
}

function cardOf(product) {
  const offer = offerOf(product)
  const picture = pictureOf(product)
  if (offer?.off) picture.append(element('span', { className: 'badge' }, `−${percent.format(offer.off / 100)}`))
  const card = element(
    'button',
    { type: 'button', className: 'card', dataset: { id: product.id, status: product.availability.displayStatus } },
    picture,
    element(
      'span',
      { className: 'text' },
      product.category && element('span', { className: 'kind' }, product.category),
      element('span', { className: 'name' }, product.title),
      priceOf(product),
      offer?.sale && offer.why && element('span', { className: 'why' }, offer.why),
      ...stockOf(product),
    ),
  )
  card.addEventListener('click', () => open(product.id))
  return card
}

function place(product) {
  products.set(product.id, product)
  const card = cardOf(product)
  const item = [...grid.children].find((each) => each.dataset.id === product.id)
  if (!item) {
    grid.append(element('li', { dataset: { id: product.id, image: JSON.stringify(product.image) } }, card))
    return
  }
  const before = item.firstElementChild
  const focused = before === document.activeElement
  const told = (of, part) => of.querySelector(`.${part}`)?.textContent
  const fresh = ['price', 'stock'].filter((part) => told(before, part) !== told(card, part))
  if (fresh.length > 0) {
    card.dataset.new = fresh.join(' ')
    news.textContent = `${product.title}: ${told(card, 'price')}, ${product.availability.message}`
  }
  // The picture stays, so that it does not flicker.
  const picture = before.querySelector('.picture')
  const image = JSON.stringify(product.image)
  if (picture && item.dataset.image === image) {
    picture.querySelector('.badge')?.remove()
    const badge = card.querySelector('.badge')
    if (badge) picture.append(badge)
    card.querySelector('.picture').replaceWith(picture)
  }
  item.dataset.image = image
  before.replaceWith(card)
  if (focused) card.focus()
  if (detail.open && detail.dataset.id === product.id) fillDetail(product)
}

// What is told while it is open leaves the picture and the button alone: nothing flickers, and the focus stays.
function fillDetail(product) {
  const image = JSON.stringify(product.image)
  if (!detail.open || detail.dataset.id !== product.id) {
    const close = element(
      'button',
      { type: 'button', className: 'close', ariaLabel: words.close, title: words.close },
      '×',
    )
    close.addEventListener('click', () => detail.close())
    detail.replaceChildren(close, element('div', { className: 'sheet' }, pictureOf(product), element('div')))
  } else if (detail.dataset.image !== image) detail.querySelector('.picture').replaceWith(pictureOf(product))
  Object.assign(detail.dataset, { id: product.id, image })
  const variants = product.variants.map((variant) =>
    element(
      'li',
      { className: variant.inStock ? '' : 'none' },
      element('span', {}, variant.title ?? (Object.values(variant.options).join(', ') || variant.sku)),
      element('span', {}, money(variant.effectivePrice)),
    ),
  )
  const sheet = detail.querySelector('.sheet')
  sheet.dataset.status = product.availability.displayStatus
  sheet.lastElementChild.replaceWith(
    element(
      'div',
      { className: 'text' },
      product.category && element('span', { className: 'kind' }, product.category),
      element('h2', { id: 'detail-title' }, product.title),
      priceOf(product),
      ...stockOf(product),
      product.description && element('p', { className: 'about' }, product.description),
      element('ul', { className: 'variants' }, ...variants),
    ),
  )
}

function open(id) {
  const product = products.get(id)
  if (!product) return
  fillDetail(product)
  if (!detail.open) detail.showModal()
}

async function get(path, query) {
  const url = new URL(path, location.origin)
  for (const [name, value] of Object.entries(query)) if (value !== undefined) url.searchParams.set(name, value)
  const answer = await fetch(url, { headers: { accept: 'application/json' } })
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`)
  return answer.json()
}

// By words through the search, which knows best; else all there is.
async function page(query, cursor) {
  if (query === '') return get('/storefront/products', { limit: 24, cursor, locale })
  const found = await get('/search', { q: query, limit: 24, cursor })
  const ids = found.items.map(({ id }) => id)
  const { items } = ids.length ? await get('/storefront/products', { products: ids.join(','), locale }) : { items: [] }
  return { items, next: found.next, total: found.total, exact: found.totalIsExact }
}

async function show(query, cursor) {
  const mine = ++asked
  try {
    const { items, next: following, total, exact = true } = await page(query, cursor)
    if (mine !== asked) return
    if (cursor === undefined) {
      shown = []
      products.clear()
      grid.replaceChildren()
    }
    for (const product of items) place(product)
    shown.push(...items.map(({ id }) => id))
    next = following
    more.hidden = next === undefined
    note.hidden = shown.length > 0
    note.textContent = query === '' ? words.empty : filled(words.nothing, { query })
    const all = total ?? (next === undefined ? shown.length : undefined)
    count.textContent = all === undefined ? '' : foundInWords(all, exact, words)
    follow()
  } catch {
    if (mine !== asked) return
    note.hidden = false
    note.textContent = words.broken
    setTimeout(() => mine === asked && show(query, cursor), 2_000)
  }
}

// One connection for the newest hundred; the browser connects again by itself and says what it saw last.
function follow() {
  stream?.close()
  stream = undefined
  const ids = shown.filter((id) => !id.includes(',')).slice(-FOLLOWED)
  live.hidden = ids.length === 0
  if (ids.length === 0) return
  const url = new URL('/storefront/live', location.origin)
  url.searchParams.set('products', ids.join(','))
  url.searchParams.set('locale', locale)
  stream = new EventSource(url)
  const state = (on) => {
    live.classList.toggle('on', on)
    live.lastElementChild.textContent = on ? live.dataset.on : live.dataset.off
  }
  const mine = stream
  stream.addEventListener('open', () => state(true))
  stream.addEventListener('error', () => {
    state(false)
    // A refusal ends an EventSource for good.
    if (mine.readyState === EventSource.CLOSED) setTimeout(() => mine === stream && follow(), 5_000)
  })
  stream.addEventListener('product', ({ data }) => place(JSON.parse(data)))
  stream.addEventListener('gone', ({ data }) => {
    const { id } = JSON.parse(data)
    for (const item of [...grid.children]) if (item.dataset.id === id) item.remove()
    shown = shown.filter((each) => each !== id)
  })
}

let typing
search.addEventListener('input', () => {
  clearTimeout(typing)
  typing = setTimeout(() => {
    const query = search.value.trim()
    history.replaceState(null, '', query === '' ? location.pathname : `?q=${encodeURIComponent(query)}`)
    show(query)
  }, 180)
})
search.form.addEventListener('submit', (event) => event.preventDefault())
more.addEventListener('click', () => show(search.value.trim(), next))
detail.addEventListener('click', (event) => event.target === detail && detail.close())

addEventListener('keydown', (event) => {
  if (detail.open || event.ctrlKey || event.metaKey || event.altKey) return
  if (event.key === '/' && document.activeElement !== search) {
    event.preventDefault()
    search.select()
    return
  }
  const cards = [...grid.querySelectorAll('.card')]
  const here = cards.indexOf(document.activeElement)
  if (here < 0) {
    if (event.key === 'ArrowDown' && document.activeElement === search) cards[0]?.focus()
    return
  }
  const columns = getComputedStyle(grid).gridTemplateColumns.split(' ').length
  const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns }
  const step = steps[event.key]
  if (step === undefined) return
  event.preventDefault()
  const to = here + step
  if (to < 0 && event.key === 'ArrowUp') search.focus()
  else cards[Math.min(Math.max(to, 0), cards.length - 1)]?.focus()
})

const root = document.documentElement
const kept = localStorage.getItem('theme')
if (kept) root.dataset.theme = kept
at('theme').addEventListener('click', () => {
  const dark = root.dataset.theme ? root.dataset.theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches
  root.dataset.theme = dark ? 'light' : 'dark'
  localStorage.setItem('theme', root.dataset.theme)
})

search.value = new URLSearchParams(location.search).get('q') ?? ''
show(search.value.trim())
