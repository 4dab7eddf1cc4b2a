/** A process made to be killed: it evaluates collections in the database of SCENARIO_URL until it ends. */
import { pino } from 'pino'
import { Engine } from '../src/engine/engine.ts'
import { collectionsService } from '../src/services/collections/service.ts'

const engine = new Engine({ url: process.env.SCENARIO_URL ?? '', log: pino({ level: 'silent' }) })
process.on('disconnect', () => process.exit())
await collectionsService(engine).run?.(new AbortController().signal)
