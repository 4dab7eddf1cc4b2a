/** Feeds over HTTP: their definitions, their runs, and a person's word on those that are held. */
import type { Readable } from 'node:stream'
import { z } from 'zod'
import type { Database } from '../../engine/database.ts'
import { Rejected } from '../../engine/decider.ts'
import { type App, flagQuery, invalidRequest, limitQuery, pageOf, pageSchema, placeIn } from '../../engine/http.ts'
import { feedInput, feedName, feedPatch } from './definition.ts'
import { changeFeed, createFeed, deleteFeed, feedOf, listFeeds, viewFeed } from './feeds.ts'
import { decideRun, getRun, listRuns, queueUpload, startRun } from './runs.ts'
import { keepUpload, SourceFailed } from './source.ts'
import {
  changeView,
  feedView,
  outcomes,
  readChanges,
  runDetails,
  runView,
  runWithSamples,
  shownFeed,
  shownRun,
} from './views.ts'

const tags = ['feeds']
const config = { roles: ['ADMIN'] }
const params = z.strictObject({ name: feedName })
const runParams = z.strictObject({
  id: z.coerce
    .number()
    .int('must be a whole number')
    .min(1)
    .max(2 ** 52),
})
const asOf = z.iso
  .datetime({ offset: true, error: 'must be a time with its offset, like 2026-01-31T08:00:00Z' })
  .refine((time) => Date.parse(time) <= Date.now(), 'must not be in the future')

/** Larger feeds come from a source of their own: a request has to be through in seconds. */
export const uploadBytesMax = 64 * 1024 * 1024

export function feedRoutes(app: App, db: Database, nudge: () => void): void {
  definitions(app, db, nudge)
  running(app, db, nudge)
  runs(app, db, nudge)
}

function definitions(app: App, db: Database, nudge: () => void): void {
  app.post(
    '/feeds',
    { schema: { summary: 'Define a feed', tags, body: feedInput, response: { 201: feedView } }, config },
    async (request, reply) => {
      await createFeed(db, request.body)
      nudge()
      reply.code(201).header('location', `/v1/feeds/${request.body.name}`)
      return shownFeed(await viewFeed(db, request.body.name))
    },
  )

  const listQuery = z.strictObject(limitQuery())
  app.get(
    '/feeds',
    {
      schema: { summary: 'Feeds by name', tags, querystring: listQuery, response: { 200: pageSchema(feedView) } },
      config,
    },
    async (request) => {
      const { limit, cursor } = request.query
      const found = await listFeeds(db, placeIn(cursor, feedName) ?? '', limit + 1)
      const { items, next } = pageOf(found, limit, () => found[limit]?.feed.name)
      return { items: items.map(shownFeed), ...(next !== undefined && { next }) }
    },
  )

  app.get(
    '/feeds/:name',
    {
      schema: { summary: 'A feed, when it is due, and its last run', tags, params, response: { 200: feedView } },
      config,
    },
    async (request) => shownFeed(await viewFeed(db, request.params.name)),
  )

  app.patch(
    '/feeds/:name',
    { schema: { summary: 'Change a feed', tags, params, body: feedPatch, response: { 200: feedView } }, config },
    async (request) => {
      await changeFeed(db, request.params.name, request.body)
      nudge()
      return shownFeed(await viewFeed(db, request.params.name))
    },
  )

  app.delete(
    '/feeds/:name',
    {
      schema: {
        summary: 'Remove a feed and its runs; what they did stays',
        tags,
        params,
        response: { 204: z.undefined() },
      },
      config,
    },
    async (request, reply) => {
      await deleteFeed(db, request.params.name)
      return reply.code(204).send()
    },
  )
}

const uploadTypes = ['text/csv', 'application/x-ndjson', 'application/octet-stream']

function running(app: App, db: Database, nudge: () => void): void {
  // Of this service's routes alone: what is uploaded is passed on as it comes.
  for (const type of uploadTypes)
    app.addContentTypeParser(type, { bodyLimit: uploadBytesMax }, (_, body, done) => done(null, body))

  const querystring = z.strictObject({
    force: flagQuery.default(false),
    dryRun: flagQuery.default(false),
    asOf: asOf.optional(),
  })
  app.post(
    '/feeds/:name/run',
    {
      schema: {
        summary:
          'Read a feed now: its source, or the body (text/csv, application/x-ndjson, or octet-stream, of any format)',
        tags,
        params,
        querystring,
        response: { 202: runView },
      },
      config,
      bodyLimit: uploadBytesMax,
      handlerTimeout: 60_000,
    },
    async (request, reply) => {
      const { name } = request.params
      const { force, dryRun, asOf } = request.query
      const { source } = await feedOf(db, name)
      const upload = request.body as Readable | null | undefined
      const isUpload = typeof upload?.pipe === 'function'
      if (upload && !isUpload)
        throw new Rejected('unsupported-media-type', {}, `Send the feed as ${uploadTypes.join(', ')}.`)
      if (!isUpload && source === null)
        throw invalidRequest({ in: 'body', field: '', message: 'is missing: the feed has no source of its own' })
      const origin = isUpload ? ('upload' as const) : ('request' as const)
      const run = await startRun(db, {
        feed: name,
        origin,
        startedBy: request.actor?.subject,
        forced: force,
        dryRun,
        asOf,
      })
      const queued = isUpload ? await take(db, run.id, upload) : run
      nudge()
      reply.code(202).header('location', `/v1/feed-runs/${run.id}`)
      return shownRun(queued)
    },
  )
}

async function take(db: Database, runId: number, upload: Readable) {
  try {
    await keepUpload(db, runId, upload, uploadBytesMax)
    return await queueUpload(db, runId)
  } catch (error) {
    await db`delete from feeds.runs where id = ${runId} and status = 'uploading'`
    throw error instanceof SourceFailed
      ? new Rejected('feed-too-large', { bytesMax: uploadBytesMax }, error.message)
      : error
  }
}

function runs(app: App, db: Database, nudge: () => void): void {
  app.get(
    '/feeds/:name/runs',
    {
      schema: {
        summary: 'Its runs, the newest first',
        tags,
        params,
        querystring: z.strictObject(limitQuery()),
        response: { 200: pageSchema(runView) },
      },
      config,
    },
    async (request) => {
      const { limit, cursor } = request.query
      const { name } = request.params
      await feedOf(db, name)
      const found = await listRuns(db, name, placeIn(cursor, z.int()), limit + 1)
      return pageOf(found.map(shownRun), limit, ({ id }) => id)
    },
  )

  app.get(
    '/feed-runs/:id',
    {
      schema: {
        summary: 'A run: what it did or would do, with samples, and why it is held',
        tags,
        params: runParams,
        response: { 200: runDetails },
      },
      config,
    },
    async (request) => runWithSamples(db, await getRun(db, request.params.id)),
  )

  app.get(
    '/feed-runs/:id/changes',
    {
      schema: {
        summary: 'Everything it did or would do, field by field',
        tags,
        params: runParams,
        querystring: z.strictObject({
          outcome: z.enum(outcomes).optional(),
          failed: flagQuery.optional(),
          ...limitQuery(100, 1_000),
        }),
        response: { 200: pageSchema(changeView) },
      },
      config,
    },
    async (request) => {
      const { id } = await getRun(db, request.params.id)
      const { limit, cursor, ...filter } = request.query
      const found = await readChanges(db, id, filter, placeIn(cursor, z.int()) ?? 0, limit + 1)
      return pageOf(found, limit, ({ n }) => n)
    },
  )

  for (const [word, summary] of [
    ['approve', 'Carry out a held run, measured against what is there by now'],
    ['reject', 'Drop a held run'],
  ] as const) {
    app.post(
      `/feed-runs/:id/${word}`,
      { schema: { summary, tags, params: runParams, response: { 200: runView } }, config },
      async (request) => {
        const run = await decideRun(db, request.params.id, word, request.actor?.subject)
        nudge()
        return shownRun(run)
      },
    )
  }
}
