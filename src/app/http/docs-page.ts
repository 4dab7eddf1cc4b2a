/** `/docs`: the API's document as a page to try it. It needs nothing from elsewhere, and no more than this folder. */
import { readFileSync } from 'node:fs'
import helmet from '@fastify/helmet'
import swaggerUi from '@fastify/swagger-ui'
import type { App } from '../../engine/http.ts'

/** Helmet's options. The page works offline and over plain HTTP: nothing from elsewhere, no upgrade to a TLS port that isn't there. */
const pageHeaders = {
  contentSecurityPolicy: {
    directives: {
      'default-src': ["'self'"],
      'connect-src': ["'self'"],
      'font-src': ["'self'", 'data:'],
      'img-src': ["'self'", 'data:'],
      'script-src': ["'self'"],
      'style-src': ["'self'", "'unsafe-inline'"],
      'upgrade-insecure-requests': null,
    },
  },
  strictTransportSecurity: false as const,
}

const file = (name: string) => readFileSync(new URL(`./page/${name}`, import.meta.url), 'utf8')

/** What the paths are about, in the order in which somebody new asks. */
export const chapters = [
  { name: 'products', description: 'what is sold, its history, and how it was at a version' },
  { name: 'sync', description: 'who has a change, who has not, and why' },
  { name: 'inventory', description: 'what there is, where, and what became of it' },
  { name: 'orders', description: 'all lines or none, and what comes back' },
  { name: 'reservations', description: 'stock held for a while' },
  { name: 'checkouts', description: 'reserve, authorise, confirm, capture' },
  { name: 'carts', description: 'checked against stock and prices as they change' },
  { name: 'pricing', description: 'what it costs now, rules and promotions' },
  { name: 'search', description: 'words, filters, facets, synonyms' },
  { name: 'collections', description: 'products by rule or by hand' },
  { name: 'storefront', description: 'what a shop shows' },
  { name: 'seo', description: 'slugs, redirects, meta tags, sitemap' },
  { name: 'media', description: 'images and videos' },
  { name: 'customers', description: 'people, and what they agreed to' },
  { name: 'marketing', description: 'lists of those who agreed' },
  { name: 'notifications', description: 'mails and what became of them' },
  { name: 'analytics', description: 'sales, stock and events over time' },
  { name: 'vendors', description: 'a vendor’s stock at a glance' },
  { name: 'warehouses', description: 'where stock is' },
  { name: 'receipts', description: 'what suppliers will bring' },
  { name: 'transfers', description: 'goods between warehouses' },
  { name: 'stocktakes', description: 'counts against the books' },
  { name: 'feeds', description: 'what other systems say again and again' },
  { name: 'events', description: 'the log' },
  { name: 'consumers', description: 'what follows the log' },
  { name: 'dead letters', description: 'what consumers gave up' },
  { name: 'caches', description: 'what is remembered, and how well' },
  { name: 'operations', description: 'health, metrics, contracts, problems' },
]

export async function docsPage(app: App): Promise<void> {
  await app.register(async (pages) => {
    await pages.register(helmet, pageHeaders)
    await pages.register(swaggerUi, {
      routePrefix: '/docs',
      uiConfig: {
        persistAuthorization: true,
        displayRequestDuration: true,
        tryItOutEnabled: true,
        validatorUrl: null,
        docExpansion: 'none', // with all operations open it takes seconds to show
        filter: true,
        defaultModelsExpandDepth: -1,
      },
      theme: {
        title: 'Lockstep API',
        css: [{ filename: 'docs.css', content: file('docs.css') }],
        js: [{ filename: 'docs.js', content: file('docs.js') }],
        favicon: [
          { filename: 'icon.svg', rel: 'icon', type: 'image/svg+xml', sizes: 'any', content: file('icon.svg') },
        ],
      },
      transformSpecificationClone: false,
    })
  })
}
