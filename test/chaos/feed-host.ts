/** A process made to be killed: it reads feeds and carries them out, as long as it lives. */
import { pino } from 'pino'
import { feedsService } from '../../src/app/feeds/service.ts'
import { Engine } from '../../src/engine/engine.ts'
import { sellingServices } from '../selling.ts'

const engine = new Engine({ url: process.env.FEED_HOST ?? '', log: pino({ level: process.env.CHAOS_LOG ?? 'silent' }) })
const [catalog, inventory] = sellingServices(engine)
await feedsService(engine, { catalog, inventory }).run?.(new AbortController().signal)
