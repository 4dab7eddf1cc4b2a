/** A feed as it is defined: where it comes from, what it may speak of, when it is read, and when a person must look first. */
import { Cron } from 'croner'
import { z } from 'zod'
import { exponentOf } from '../../engine/currency.ts'
import { invalidRequest } from '../../engine/http.ts'
import { identifier, plainText } from '../../engine/text.ts'

const share = z.number({ error: 'must be a number' }).min(0, 'must be at least 0').max(1, 'must be at most 1')

const source = z.union(
  [
    z.strictObject({
      file: plainText(500).regex(/^(?!\/)(?!.*(?:^|\/)\.\.(?:\/|$)).+$/, 'must be a path below LOCKSTEP_FEEDS'),
    }),
    z.strictObject({
      url: z
        .url({ protocol: /^https?$/, error: 'must be an http(s) address' })
        .max(2_000)
        .refine((url) => !URL.parse(url)?.username && !URL.parse(url)?.password, {
          error: 'has a user or a password in it; give them as header { name: "authorization", value: "Basic …" }',
        }),
      header: z
        .strictObject({
          name: z.string().regex(/^[A-Za-z0-9-]{1,100}$/, 'must be the name of a header'),
          value: z.string().regex(/^[\x20-\x7e]{1,4000}$/, 'must be printable ASCII'),
        })
        .optional(),
    }),
  ],
  { error: 'must be { file } or { url, header? }' },
)

const schedule = z.union(
  [
    z.strictObject({ cron: plainText(100), timezone: plainText(100).default('UTC') }),
    z.strictObject({ everySeconds: z.int().min(5, 'must be at least 5').max(31_536_000, 'must be at most a year') }),
  ],
  { error: 'must be { cron, timezone? } or { everySeconds }' },
)

export const feedName = z
  .string({ error: 'must be text' })
  .regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'must be lower-case letters, digits and hyphens, at most 63')

export const feedInput = z.strictObject({
  name: feedName,
  kind: z.enum(['catalogue', 'price', 'stock']),
  /** Null: it is only ever uploaded. */
  source: source.nullable().default(null),
  format: z.enum(['csv', 'json', 'ndjson']).nullable().default(null),
  /** Field of ours → column of theirs; by well-known names when null. */
  map: z.record(plainText(100), plainText(500)).nullable().default(null),
  currency: z
    .string()
    .refine((code) => exponentOf(code) !== undefined, 'must be a currency of ISO 4217 that is in use, such as EUR')
    .default('EUR'),
  decimalMark: z.enum(['.', ',']).nullable().default(null),
  /** The only vendor whose products it may speak of. */
  vendor: plainText(200).min(1, 'must not be empty').nullable().default(null),
  /** The only warehouse it may speak of; where rows that name none are. */
  warehouse: identifier.nullable().default(null),
  /** The time that rows speak of which have no `asOf` of their own: when it was read, or the Last-Modified of its source. */
  asOf: z.enum(['read', 'last-modified']).default('read'),
  schedule: schedule.nullable().default(null),
  enabled: z.boolean().default(true),
  maxLossShare: share.default(0.2),
  maxRefusedShare: share.default(0.05),
  /** What becomes of what it no longer speaks of. */
  absent: z.enum(['nothing', 'archive', 'zero']).default('nothing'),
})
export type Feed = z.infer<typeof feedInput>

const { name: _, kind: __, ...changeable } = feedInput.shape

/** Fields to change; without their defaults, so that what is left out stays. */
export const feedPatch = z
  .strictObject(
    Object.fromEntries(Object.entries(changeable).map(([name, field]) => [name, field.unwrap().optional()])),
  )
  .refine((patch) => Object.keys(patch).length > 0, 'must name at least one field to change') as unknown as z.ZodType<
  Partial<Omit<Feed, 'name' | 'kind'>>
>

/** Throws `invalid-request` for fields that don't go together. */
export function checked(feed: Feed): Feed {
  const refuse = (field: string, message: string) => {
    throw invalidRequest({ in: 'body', field, message })
  }
  const { kind, absent, schedule, source } = feed
  if (absent === 'archive' && kind !== 'catalogue') refuse('absent', 'archive is for a catalogue feed')
  if (absent === 'zero' && kind !== 'stock') refuse('absent', 'zero is for a stock feed')
  if (feed.warehouse !== null && kind !== 'stock') refuse('warehouse', 'is for a stock feed')
  if (schedule && !source) refuse('schedule', 'needs a source: what is uploaded comes when it comes')
  if (schedule && 'cron' in schedule) {
    try {
      if (!new Cron(schedule.cron, { timezone: schedule.timezone, paused: true }).nextRun())
        refuse('schedule.cron', 'is never due')
    } catch (error) {
      if (error instanceof Error && error.name === 'Rejected') throw error
      refuse('schedule.cron', `is no schedule: ${(error as Error).message.slice(0, 200)}`)
    }
  }
  return feed
}

/** When it is due after a time; null for a feed without a schedule or switched off. */
export function nextAfter({ schedule, enabled }: Feed, time: Date): Date | null {
  if (!schedule || !enabled) return null
  if ('everySeconds' in schedule) return new Date(time.getTime() + schedule.everySeconds * 1_000)
  return new Cron(schedule.cron, { timezone: schedule.timezone, paused: true }).nextRun(time)
}
