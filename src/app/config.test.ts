import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { ConfigError, jwtSecret, readConfig, settings } from './config.ts'

const secret = 'a secret of at least thirty-two characters'
const databaseUrl = 'postgres://shop:hunter2@db:5432/shop'

function faults(env: Record<string, string>): readonly string[] {
  try {
    readConfig(env)
  } catch (error) {
    if (error instanceof ConfigError) return error.faults
    throw error
  }
  return []
}

test('without an address of its own the shop is where the server is', () => {
  expect(readConfig({ PORT: '8080' }).seo.shopUrl).toBe('http://localhost:8080')
  expect(readConfig({ PORT: '8080', LOCKSTEP_SHOP_URL: 'https://shop.example.com' }).seo.shopUrl).toBe(
    'https://shop.example.com',
  )
})

test('nothing set gives the embedded mode with the values of the documents', () => {
  expect(readConfig({})).toEqual({
    port: 4000,
    host: '127.0.0.1',
    dataDirectory: resolve('.lockstep'),
    databaseUrl: undefined,
    embedded: true,
    jwt: { secret: undefined, jwksUrl: undefined },
    demo: true,
    logLevel: 'info',
    rateLimit: 0,
    requestTimeoutMs: 10_000,
    engine: {
      retry: { attempts: 3, firstMs: 200, maxMs: 30_000 },
      handlerTimeoutMs: 10_000,
      standbyMs: 1_500,
      cutOffMs: 10_000,
      lockTimeoutMs: 2_000,
      retentionDays: undefined,
    },
    stock: {
      low: 3,
      out: 0,
      autoCreate: true,
      defaultWarehouses: ['main'],
      reorderThreshold: 10,
      targetLevel: 50,
      allocation: 'priority',
      reservationTtlSeconds: 900,
    },
    seo: { shopUrl: 'http://localhost:4000' },
    storefront: {
      lowStockThreshold: 10,
      cacheLowSeconds: 60,
      cacheSeconds: 300,
      withoutInventory: 'available',
      liveConnections: 1_000,
    },
    media: {
      limits: { imageBytesMax: 20 * 1024 ** 2, videoBytesMax: 200 * 1024 ** 2, pixelsMax: 40_000_000 },
      privateHosts: false,
      lookAgainS: 86_400,
    },
    analytics: { timeZone: 'UTC', minutesKeptHours: 48, hoursKeptDays: 90, low: 3, out: 0 },
    payments: { provider: 'development', deadlineMs: 10_000, behaviour: 'approve' },
    redisUrl: undefined,
    syncMirrorHours: 168,
    feeds: { directory: undefined, bytesMax: 2 ** 30, secondsMax: 600 },
    notifications: {
      smtpUrl: undefined,
      adminEmail: undefined,
      from: 'lockstep@localhost',
      publicUrl: undefined,
      digestSeconds: 60,
    },
  })
})

test.each([
  [{ PORT: '0' }, { port: 0 }],
  [{ PORT: '' }, { port: 4000 }],
  [{ HOST: '::1' }, { host: '::1' }],
  [{ HOST: '127.8.8.8' }, { host: '127.8.8.8' }],
  [
    { HOST: '0.0.0.0', LOCKSTEP_JWT_SECRET: secret },
    { host: '0.0.0.0', jwt: { secret } },
  ],
  [
    { DATABASE_URL: databaseUrl, LOCKSTEP_JWT_SECRET: secret },
    { embedded: false, databaseUrl, demo: false },
  ],
  [{ DATABASE_URL: databaseUrl, LOCKSTEP_JWT_SECRET: secret, LOCKSTEP_DEMO: 'on' }, { demo: true }],
  [{ DATABASE_URL: databaseUrl, LOCKSTEP_JWKS_URL: 'https://login/jwks' }, { jwt: { jwksUrl: 'https://login/jwks' } }],
  [{ LOCKSTEP_JWKS_URL: 'http://localhost:9/jwks' }, { jwt: { jwksUrl: 'http://localhost:9/jwks' } }],
  [{ LOCKSTEP_DEMO: 'off' }, { demo: false }],
  [{ LOCKSTEP_DATA: '/var/lib/lockstep' }, { dataDirectory: '/var/lib/lockstep' }],
  [{ INVENTORY_DEFAULT_WAREHOUSES: 'north, south' }, { stock: { defaultWarehouses: ['north', 'south'] } }],
  [{ INVENTORY_AUTO_CREATE_ON_PRODUCT_CREATION: 'false' }, { stock: { autoCreate: false } }],
  [{ LOW_STOCK_THRESHOLD: '7' }, { stock: { low: 7 } }],
  [{ SMTP_URL: 'smtps://me:p%40ss@mail:465' }, { notifications: { smtpUrl: 'smtps://me:p%40ss@mail:465' } }],
  [{ LOCKSTEP_ADMIN_EMAIL: 'admin@example.com' }, { notifications: { adminEmail: 'admin@example.com' } }],
])('%j is read as %j', (env, expected) => {
  expect(readConfig(env)).toMatchObject(expected)
})

test.each([
  [{ PORT: 'http' }, 'PORT must be a whole number from 0 to 65535, for example PORT=4000; it is "http"'],
  [{ PORT: '65536' }, 'PORT must be a whole number from 0 to 65535, for example PORT=4000; it is "65536"'],
  [{ PORT: '1e3' }, 'PORT must be a whole number from 0 to 65535, for example PORT=4000; it is "1e3"'],
  [{ PORT: '-1' }, 'PORT must be a whole number from 0 to 65535, for example PORT=4000; it is "-1"'],
  [{ HOST: 'a b' }, 'HOST must be an IP address or the name of a host, for example HOST=127.0.0.1; it is "a b"'],
  [{ LOG_LEVEL: 'loud' }, /^LOG_LEVEL must be one of fatal, .*, for example LOG_LEVEL=info; it is "loud"$/],
  [{ LOCKSTEP_DEMO: 'yes' }, 'LOCKSTEP_DEMO must be on or off, for example LOCKSTEP_DEMO=off; it is "yes"'],
  [
    { LOCKSTEP_JWKS_URL: 'http://login/jwks' },
    /^LOCKSTEP_JWKS_URL must be an https:\/\/ URL .*; it is "http:\/\/login/,
  ],
  [{ HOST: '0.0.0.0' }, /^HOST must be a loopback address unless LOCKSTEP_JWT_SECRET .*; it is "0.0.0.0"$/],
  [
    { DATABASE_URL: databaseUrl },
    /^LOCKSTEP_JWT_SECRET or LOCKSTEP_JWKS_URL must be set beside DATABASE_URL, for exam/,
  ],
  [
    { LOCKSTEP_RETRY_FIRST_MS: '500', LOCKSTEP_RETRY_MAX_MS: '100' },
    /^LOCKSTEP_RETRY_MAX_MS must be at least .*is 100$/,
  ],
  [{ OUT_OF_STOCK_THRESHOLD: '4' }, /^LOW_STOCK_THRESHOLD must be at least OUT_OF_STOCK_THRESHOLD, .*=4; it is 3$/],
  [{ INVENTORY_DEFAULT_WAREHOUSES: 'north,,south' }, /^INVENTORY_DEFAULT_WAREHOUSES must be names of letters/],
])('%j is refused with what is wrong and an example', (env, message) => {
  expect(faults(env)).toEqual([typeof message === 'string' ? message : expect.stringMatching(message)])
})

test('all faults are told at once', () => {
  const told = faults({ PORT: 'x', LOCKSTEP_DEMO: 'x', HOST: '0.0.0.0', LOCKSTEP_RETRY_ATTEMPTS: '0' })
  expect(told.map((line) => line.split(' ')[0])).toEqual(['PORT', 'LOCKSTEP_DEMO', 'LOCKSTEP_RETRY_ATTEMPTS', 'HOST'])
})

test('a wrong secret or database address is never repeated in the message', () => {
  const told = faults({ LOCKSTEP_JWT_SECRET: 'hunter2', DATABASE_URL: 'mysql://shop:hunter2@db/shop' })
  expect(told).toHaveLength(2)
  expect(told.join()).not.toContain('hunter2')
})

test('every setting has a meaning, and its default passes its own check', () => {
  const all = settings()
  expect(all.map((setting) => setting.name)).toContain('STOREFRONT_CACHE_LOW_SECONDS')
  for (const { meaning, name } of all) expect(meaning, name).toMatch(/^\w/)
  const defaults = all.flatMap(({ name, fallback }) => (fallback === undefined ? [] : [[name, fallback]]))
  expect(readConfig(Object.fromEntries(defaults))).toEqual(readConfig({}))
})

async function emptyData(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'lockstep-config-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  return directory
}

test('a generated secret is made once, by whoever comes first, readable by its owner only', async () => {
  const LOCKSTEP_DATA = join(await emptyData(), 'new')
  const config = readConfig({ LOCKSTEP_DATA })
  const secrets = await Promise.all([jwtSecret(config), jwtSecret(config), jwtSecret(config)])
  expect(new Set(secrets).size).toBe(1)
  expect(await jwtSecret(config)).toBe(secrets[0])
  expect(secrets[0]?.length).toBeGreaterThanOrEqual(32)
  const file = join(LOCKSTEP_DATA, 'jwt-secret')
  expect((await stat(file)).mode & 0o777).toBe(0o600)
  expect(await readFile(file, 'utf8')).toBe(secrets[0])
  expect(await readdir(LOCKSTEP_DATA)).toEqual(['jwt-secret'])
})

test('a given secret is used as it is and none is kept', async () => {
  const LOCKSTEP_DATA = await emptyData()
  expect(await jwtSecret(readConfig({ LOCKSTEP_DATA, LOCKSTEP_JWT_SECRET: secret }))).toBe(secret)
  expect(await readdir(LOCKSTEP_DATA)).toEqual([])
})

test('outside the embedded mode no secret is made up', async () => {
  const env = { DATABASE_URL: databaseUrl, LOCKSTEP_JWKS_URL: 'https://login/jwks', LOCKSTEP_DATA: await emptyData() }
  expect(await jwtSecret(readConfig(env))).toBeUndefined()
  expect(await readdir(env.LOCKSTEP_DATA)).toEqual([])
})

test('a damaged secret is refused, not used', async () => {
  const LOCKSTEP_DATA = await emptyData()
  await writeFile(join(LOCKSTEP_DATA, 'jwt-secret'), '')
  await expect(jwtSecret(readConfig({ LOCKSTEP_DATA }))).rejects.toThrow('jwt-secret is damaged')
})
