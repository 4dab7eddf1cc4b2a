/** The configuration: read from the environment, checked as a whole, handed on as one plain object. */
import { randomBytes } from 'node:crypto'
import { link, readFile, rm, writeFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import { join, resolve } from 'node:path'
import { z } from 'zod'
import { isTimeZone } from '../services/analytics/days.ts'
import { type StrategyName, strategies } from '../services/inventory/allocation.ts'
import { behaviours } from '../services/payments/providers/development.ts'
import { type ProviderName, providers } from '../services/payments/service.ts'
import { makeFolder } from './folder.ts'

const day = 86_400

const whole = (min: number, max: number) =>
  z
    .string()
    .regex(/^\d{1,15}$/)
    .transform(Number)
    .pipe(z.number().min(min).max(max))
    .meta({ wants: `a whole number from ${min} to ${max}` })

const choice = <const T extends readonly [string, ...string[]]>(...words: T) =>
  z.enum(words).meta({ wants: `one of ${words.join(', ')}` })

const switched = (yes: string, no: string) =>
  choice(yes, no)
    .transform((word) => word === yes)
    .meta({ wants: `${yes} or ${no}` })

const list = z
  .string()
  .transform((text) => text.split(',').map((item) => item.trim()))
  .pipe(z.array(z.string().regex(/^[\w.-]{1,64}$/)))
  .meta({ wants: 'names of letters, digits, dots, dashes and underscores, separated by commas' })

const url = (protocol: RegExp, wants: string) => z.url({ protocol }).meta({ wants })
const text = (min: number, wants: string) => z.string().min(min).meta({ wants })
const mailbox = z
  .string()
  .regex(/^[^\s\p{C}"(),:;<>[\]\\@]{1,64}@[a-zA-Z0-9.-]{1,253}$/u)
  .meta({ wants: 'an e-mail address' })
const host = z
  .string()
  .refine((name) => isIP(name) > 0 || z.hostname().safeParse(name).success)
  .meta({ wants: 'an IP address or the name of a host' })

interface About {
  meaning: string
  /** The default, as one would write it in the environment. */
  fallback?: string
  example: string
  /** Never shown in a message. */
  secret?: boolean
}

const setting = <T>(kind: z.ZodType<T, string>, fallback: string, meaning: string) =>
  kind.prefault(fallback).meta({ ...kind.meta(), meaning, fallback, example: fallback })

const optional = <T>(kind: z.ZodType<T, string>, example: string, meaning: string, secret = false) =>
  kind.optional().meta({ ...kind.meta(), meaning, example, secret })

const environment = z.object({
  PORT: setting(whole(0, 65_535), '4000', 'port of the HTTP server; 0 takes any free one'),
  HOST: setting(host, '127.0.0.1', 'address the HTTP server listens on'),
  LOCKSTEP_DATA: setting(text(1, 'a folder'), '.lockstep', 'folder of the embedded database and the generated secret'),
  DATABASE_URL: optional(
    url(/^postgres(ql)?$/, 'a URL that begins with postgres://'),
    'postgres://user:password@host:5432/lockstep',
    'PostgreSQL server to use instead of the embedded one',
    true,
  ),
  REDIS_URL: optional(
    url(/^rediss?$/, 'a URL that begins with redis:// or rediss://'),
    'redis://127.0.0.1:6379',
    'Redis that processes share their caches in, with a mirror of the sync status; each caches in its own memory without it. Keys are as the documents say (`product:ID`, `search:cache:…`); the generations that tell what is stale stand in an entry’s value',
    true,
  ),
  LOCKSTEP_SYNC_MIRROR_HOURS: setting(
    whole(1, 87_600),
    '168',
    'how long the sync status of a product stays in Redis after its last change, under the keys of document A, §14',
  ),
  LOCKSTEP_JWT_SECRET: optional(
    text(32, 'at least 32 characters'),
    '$(openssl rand -base64 32)',
    'key that signs access tokens (HS256); generated in embedded mode',
    true,
  ),
  LOCKSTEP_JWKS_URL: optional(
    url(/^https?$/, 'an https:// URL (http:// on this machine only)').refine(
      (given) => given.startsWith('https:') || isLoopback(new URL(given).hostname),
    ),
    'https://login.example.com/.well-known/jwks.json',
    'where the public keys of another issuer of access tokens are published',
  ),
  LOCKSTEP_DEMO: optional(
    switched('on', 'off'),
    'off',
    'whether an empty database gets a demo shop; on in embedded mode, else off',
  ),
  LOG_LEVEL: setting(
    choice('fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'),
    'info',
    'least level logged',
  ),
  LOCKSTEP_RATE_LIMIT: setting(whole(0, 1_000_000), '0', 'requests per second and client; 0 for no limit'),
  LOCKSTEP_REQUEST_TIMEOUT_MS: setting(whole(100, 600_000), '10000', 'time a request may take'),

  LOCKSTEP_RETRY_ATTEMPTS: setting(whole(1, 100), '3', 'times a consumer tries before a dead letter (E)'),
  LOCKSTEP_RETRY_FIRST_MS: setting(whole(1, day * 1000), '200', 'wait before the second try; doubles each time'),
  LOCKSTEP_RETRY_MAX_MS: setting(whole(1, day * 1000), '30000', 'longest wait between two tries'),
  LOCKSTEP_HANDLER_TIMEOUT_MS: setting(whole(10, 3_600_000), '10000', 'time a consumer may take for one batch'),
  LOCKSTEP_STANDBY_MS: setting(whole(100, 60_000), '1500', 'silence after which a consumer is taken over'),
  LOCKSTEP_LOCK_TIMEOUT_MS: setting(whole(10, 60_000), '2000', 'time a command waits for a locked row'),
  LOCKSTEP_RETENTION_DAYS: optional(
    whole(1, 36_500),
    '90',
    'days after which events leave the log, but the last of each entity; kept for good unless set',
  ),

  LOW_STOCK_THRESHOLD: setting(whole(0, 1e9), '3', 'quantity at or below which stock is low (B)'),
  OUT_OF_STOCK_THRESHOLD: setting(whole(0, 1e9), '0', 'quantity at or below which stock is out (B)'),
  INVENTORY_AUTO_CREATE_ON_PRODUCT_CREATION: setting(
    switched('true', 'false'),
    'true',
    'whether a new product gets inventory items (C)',
  ),
  INVENTORY_DEFAULT_WAREHOUSES: setting(list, 'main', 'warehouses a new product gets inventory items in (C)'),
  INVENTORY_DEFAULT_REORDER_THRESHOLD: setting(whole(0, 1e9), '10', 'reorder threshold of a new inventory item (C)'),
  INVENTORY_DEFAULT_TARGET_STOCK_LEVEL: setting(whole(0, 1e9), '50', 'target stock of a new inventory item (C)'),
  INVENTORY_ALLOCATION: setting(
    choice(...(Object.keys(strategies) as [StrategyName, ...StrategyName[]])),
    'priority',
    'which warehouses an order’s units are taken from',
  ),
  RESERVATION_TTL_SECONDS: setting(whole(1, 30 * day), '900', 'life of a reservation that asks for none'),

  PAYMENT_PROVIDER: setting(
    choice(...(Object.keys(providers) as [ProviderName, ...ProviderName[]])),
    'development',
    'who moves the money; development moves none',
  ),
  PAYMENT_DEADLINE_MS: setting(whole(10, 120_000), '10000', 'time for one answer of the payment provider'),
  PAYMENT_DEVELOPMENT: setting(
    choice(...behaviours),
    'approve',
    'what the development provider does with cards whose token says nothing',
  ),

  LOCKSTEP_SHOP_URL: optional(
    url(/^https?$/, 'a URL that begins with https:// or http://'),
    'https://shop.example.com',
    'where customers find the shop: canonical addresses and the sitemap begin with it; http://localhost:PORT without it',
  ),

  STOREFRONT_LOW_STOCK_THRESHOLD: setting(whole(0, 1e9), '10', 'quantity shown as low stock in the storefront (C)'),
  LOCKSTEP_CACHE_CUT_OFF_SECONDS: setting(
    whole(1, day),
    '10',
    'how long a process that can not read the log still answers from its caches as if nothing had changed',
  ),
  STOREFRONT_CACHE_LOW_SECONDS: setting(whole(0, day), '60', 'life of a cached availability with low stock (C)'),
  STOREFRONT_CACHE_SECONDS: setting(whole(0, day), '300', 'life of any other cached availability (C)'),
  STOREFRONT_WITHOUT_INVENTORY: setting(
    choice('available', 'refuse'),
    'available',
    'what is said of stock while inventory can’t be asked: that there is some (C), or nothing',
  ),
  STOREFRONT_LIVE_CONNECTIONS: setting(
    whole(0, 1e6),
    '1000',
    'readers that one process tells changes live at most: so many of the storefront and of orders, and so many of carts',
  ),

  MEDIA_IMAGE_MB_MAX: setting(whole(1, 1_000), '20', 'size of an image, in MiB'),
  MEDIA_VIDEO_MB_MAX: setting(whole(1, 10_000), '200', 'size of a video, in MiB'),
  MEDIA_MEGAPIXELS_MAX: setting(whole(1, 250), '40', 'width × height of an image, in millions'),
  MEDIA_LOOK_AGAIN_SECONDS: setting(
    whole(0, 365 * day),
    '86400',
    'age at which what a link leads to is looked at again when a product names it again',
  ),
  MEDIA_PRIVATE_HOSTS: setting(
    switched('on', 'off'),
    'off',
    'whether media may be fetched from this machine and private networks; link-local addresses, where clouds keep keys, never',
  ),

  ANALYTICS_TIME_ZONE: setting(
    z.string().refine(isTimeZone).meta({ wants: 'the IANA name of a time zone' }),
    'UTC',
    'whose days analytics counts by; what is there keeps its zone until `lockstep replay analytics`',
  ),
  ANALYTICS_MINUTES_KEPT_HOURS: setting(whole(1, 8_784), '48', 'hours analytics keeps its minutes'),
  ANALYTICS_HOURS_KEPT_DAYS: setting(
    whole(1, 36_500),
    '90',
    'how long analytics keeps its hours; days are kept for good',
  ),

  SMTP_URL: optional(
    url(/^smtps?$/, 'a URL that begins with smtp:// or smtps://'),
    'smtps://user:password@mail.example.com:465',
    'mail server; without it mails are kept in the outbox, unsent, to be read there',
    true,
  ),
  LOCKSTEP_ADMIN_EMAIL: optional(
    mailbox,
    'admin@example.com',
    'who is mailed of low and empty stock (B); nobody unless set',
  ),
  LOCKSTEP_MAIL_FROM: setting(mailbox, 'lockstep@localhost', 'address that mails come from'),
  LOCKSTEP_PUBLIC_URL: optional(
    url(/^https?$/, 'a URL that begins with https:// or http://'),
    'https://shop.example.com',
    'where people reach this server, for the link in mails that takes a customer’s word that they want no more',
  ),
  LOCKSTEP_ALERT_DIGEST_SECONDS: setting(
    whole(0, day),
    '60',
    'stock that runs low within so long of a mail about it waits for the next one',
  ),

  LOCKSTEP_FEEDS: optional(
    text(1, 'a folder'),
    '/srv/erp-exports',
    'folder that feeds may be files of; without it they come from addresses and uploads alone',
  ),
  LOCKSTEP_FEED_MAX_MB: setting(whole(1, 100_000), '1024', 'size a feed may have'),
  LOCKSTEP_FEED_TIMEOUT_SECONDS: setting(whole(1, day), '600', 'time in which a feed must have arrived'),
})

export type Config = ReturnType<typeof grouped>

/** Every fault of a configuration at once, each a sentence that names its variable. */
export class ConfigError extends Error {
  readonly faults: readonly string[]
  constructor(faults: readonly string[]) {
    super(`the configuration is wrong:\n${faults.map((fault) => `  ${fault}`).join('\n')}`)
    this.name = 'ConfigError'
    this.faults = faults
  }
}

/** Throws a ConfigError. A variable that is set but empty counts as not set. */
export function readConfig(env: Readonly<Record<string, string | undefined>>): Config {
  const names = Object.keys(environment.shape)
  const given = Object.fromEntries(names.flatMap((name) => (env[name] ? [[name, env[name]]] : [])))
  const result = environment.safeParse(given)
  const wrong = new Set(result.error?.issues.map((issue) => String(issue.path[0])))
  const faults = [...wrong].map((name) => fault(name, given[name]))
  // The rules between variables are checked beside the faults in others, which count as their defaults then.
  const usable = Object.fromEntries(Object.entries(given).filter(([name]) => !wrong.has(name)))
  const values = environment.parse(usable)
  faults.push(...conflicts(values, given))
  if (faults.length > 0) throw new ConfigError(faults)
  return grouped(values)
}

/** What can be set, in the order of the documentation; without `fallback` there is no default. */
export function settings(): (About & { name: string })[] {
  return Object.entries(environment.shape).map(([name, schema]) => {
    const { meaning, fallback, example, secret } = about(schema)
    return { name, meaning, fallback, example, secret }
  })
}

/** The key for access tokens: the one given, else in embedded mode one made at first use and kept beside the data. */
export async function jwtSecret(
  config: Pick<Config, 'embedded' | 'dataDirectory' | 'jwt'>,
): Promise<string | undefined> {
  if (config.jwt.secret || !config.embedded) return config.jwt.secret
  const file = join(config.dataDirectory, 'jwt-secret')
  const kept = await readFile(file, 'utf8').catch(() => undefined)
  if (kept === undefined) {
    await makeFolder(config.dataDirectory)
    const draft = `${file}.${randomBytes(4).toString('hex')}`
    await writeFile(draft, randomBytes(32).toString('base64url'), { mode: 0o600, flush: true })
    try {
      await link(draft, file) // fails when another process was faster; its key counts then
    } catch (error) {
      if ((error as { code?: string }).code !== 'EEXIST') throw error
    } finally {
      await rm(draft, { force: true })
    }
  }
  const secret = (kept ?? (await readFile(file, 'utf8'))).trim()
  if (secret.length < 32)
    throw new ConfigError([`${file} is damaged: remove it, and tokens made before become invalid`])
  return secret
}

type Values = z.infer<typeof environment>

function grouped(values: Values) {
  const embedded = values.DATABASE_URL === undefined
  return {
    port: values.PORT,
    host: values.HOST,
    dataDirectory: resolve(values.LOCKSTEP_DATA),
    databaseUrl: values.DATABASE_URL,
    redisUrl: values.REDIS_URL,
    syncMirrorHours: values.LOCKSTEP_SYNC_MIRROR_HOURS,
    /** The server is our own, on this machine. */
    embedded,
    jwt: { secret: values.LOCKSTEP_JWT_SECRET, jwksUrl: values.LOCKSTEP_JWKS_URL },
    demo: values.LOCKSTEP_DEMO ?? embedded,
    logLevel: values.LOG_LEVEL,
    /** Requests per second and client, 0 for no limit. */
    rateLimit: values.LOCKSTEP_RATE_LIMIT,
    requestTimeoutMs: values.LOCKSTEP_REQUEST_TIMEOUT_MS,
    engine: {
      retry: {
        attempts: values.LOCKSTEP_RETRY_ATTEMPTS,
        firstMs: values.LOCKSTEP_RETRY_FIRST_MS,
        maxMs: values.LOCKSTEP_RETRY_MAX_MS,
      },
      handlerTimeoutMs: values.LOCKSTEP_HANDLER_TIMEOUT_MS,
      standbyMs: values.LOCKSTEP_STANDBY_MS,
      cutOffMs: values.LOCKSTEP_CACHE_CUT_OFF_SECONDS * 1_000,
      lockTimeoutMs: values.LOCKSTEP_LOCK_TIMEOUT_MS,
      retentionDays: values.LOCKSTEP_RETENTION_DAYS,
    },
    stock: {
      low: values.LOW_STOCK_THRESHOLD,
      out: values.OUT_OF_STOCK_THRESHOLD,
      autoCreate: values.INVENTORY_AUTO_CREATE_ON_PRODUCT_CREATION,
      defaultWarehouses: values.INVENTORY_DEFAULT_WAREHOUSES,
      reorderThreshold: values.INVENTORY_DEFAULT_REORDER_THRESHOLD,
      targetLevel: values.INVENTORY_DEFAULT_TARGET_STOCK_LEVEL,
      allocation: values.INVENTORY_ALLOCATION,
      reservationTtlSeconds: values.RESERVATION_TTL_SECONDS,
    },
    payments: {
      provider: values.PAYMENT_PROVIDER,
      deadlineMs: values.PAYMENT_DEADLINE_MS,
      behaviour: values.PAYMENT_DEVELOPMENT,
    },
    seo: { shopUrl: values.LOCKSTEP_SHOP_URL ?? `http://localhost:${values.PORT}` },
    storefront: {
      lowStockThreshold: values.STOREFRONT_LOW_STOCK_THRESHOLD,
      cacheLowSeconds: values.STOREFRONT_CACHE_LOW_SECONDS,
      cacheSeconds: values.STOREFRONT_CACHE_SECONDS,
      withoutInventory: values.STOREFRONT_WITHOUT_INVENTORY,
      liveConnections: values.STOREFRONT_LIVE_CONNECTIONS,
    },
    media: {
      limits: {
        imageBytesMax: values.MEDIA_IMAGE_MB_MAX * 1024 ** 2,
        videoBytesMax: values.MEDIA_VIDEO_MB_MAX * 1024 ** 2,
        pixelsMax: values.MEDIA_MEGAPIXELS_MAX * 1_000_000,
      },
      privateHosts: values.MEDIA_PRIVATE_HOSTS,
      lookAgainS: values.MEDIA_LOOK_AGAIN_SECONDS,
    },
    analytics: {
      timeZone: values.ANALYTICS_TIME_ZONE,
      minutesKeptHours: values.ANALYTICS_MINUTES_KEPT_HOURS,
      hoursKeptDays: values.ANALYTICS_HOURS_KEPT_DAYS,
      // As inventory tells of them (B).
      low: values.LOW_STOCK_THRESHOLD,
      out: values.OUT_OF_STOCK_THRESHOLD,
    },
    notifications: {
      smtpUrl: values.SMTP_URL,
      adminEmail: values.LOCKSTEP_ADMIN_EMAIL,
      from: values.LOCKSTEP_MAIL_FROM,
      publicUrl: values.LOCKSTEP_PUBLIC_URL,
      digestSeconds: values.LOCKSTEP_ALERT_DIGEST_SECONDS,
    },
    feeds: {
      directory: values.LOCKSTEP_FEEDS,
      bytesMax: values.LOCKSTEP_FEED_MAX_MB * 2 ** 20,
      secondsMax: values.LOCKSTEP_FEED_TIMEOUT_SECONDS,
    },
  } as const
}

function conflicts(values: Values, given: Record<string, unknown>): string[] {
  const faults: string[] = []
  const keyed = given.LOCKSTEP_JWT_SECRET !== undefined || given.LOCKSTEP_JWKS_URL !== undefined
  const secret = 'LOCKSTEP_JWT_SECRET="$(openssl rand -base64 32)"'
  if (given.DATABASE_URL !== undefined && !keyed) {
    faults.push(`LOCKSTEP_JWT_SECRET or LOCKSTEP_JWKS_URL must be set beside DATABASE_URL, for example ${secret}`)
  }
  if (given.DATABASE_URL === undefined && !keyed && !isLoopback(values.HOST)) {
    faults.push(
      `HOST must be a loopback address unless LOCKSTEP_JWT_SECRET or LOCKSTEP_JWKS_URL is set, ` +
        `for example HOST=127.0.0.1 or ${secret}; it is ${JSON.stringify(values.HOST)}`,
    )
  }
  if (values.LOCKSTEP_RETRY_MAX_MS < values.LOCKSTEP_RETRY_FIRST_MS) {
    faults.push(
      `LOCKSTEP_RETRY_MAX_MS must be at least LOCKSTEP_RETRY_FIRST_MS, ` +
        `for example LOCKSTEP_RETRY_MAX_MS=${values.LOCKSTEP_RETRY_FIRST_MS}; it is ${values.LOCKSTEP_RETRY_MAX_MS}`,
    )
  }
  if (values.LOW_STOCK_THRESHOLD < values.OUT_OF_STOCK_THRESHOLD) {
    faults.push(
      `LOW_STOCK_THRESHOLD must be at least OUT_OF_STOCK_THRESHOLD, ` +
        `for example LOW_STOCK_THRESHOLD=${values.OUT_OF_STOCK_THRESHOLD}; it is ${values.LOW_STOCK_THRESHOLD}`,
    )
  }
  return faults
}

function fault(name: string, value: unknown): string {
  const schema = environment.shape[name as keyof typeof environment.shape]
  const { wants, example, secret } = about(schema)
  const is = secret ? '' : `; it is ${JSON.stringify(value)}`
  return `${name} must be ${wants}, for example ${name}=${example}${is}`
}

function about(schema: z.ZodType): About & { wants: string } {
  return schema.meta() as unknown as About & { wants: string }
}

function isLoopback(name: string): boolean {
  return name === 'localhost' || name === '::1' || name === '[::1]' || (isIP(name) === 4 && name.startsWith('127.'))
}
