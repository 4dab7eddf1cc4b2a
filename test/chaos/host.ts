/** A process made to be killed: an engine on a database that carries out commands sent over IPC and, if told so, runs the consumers. */
import { pino } from 'pino'
import { Engine, type EngineOptions } from '../../src/engine/engine.ts'
import type { CommandOptions, Executed } from '../../src/engine/executor.ts'
import type { Command as InventoryCommand } from '../../src/services/inventory/commands.ts'
import type { OrdersCommand } from '../../src/services/orders/commands.ts'
import { notesService, type WriteNote } from '../notes.ts'
import { sellingServices } from '../selling.ts'
import { poisonService } from './poison.ts'
import { snailService } from './snail.ts'

export interface HostSettings {
  url: string
  /** Runs the consumers too. */
  consume: boolean
  /** With consumers that choke on certain texts. */
  poison: boolean
  /** With consumers that are slow. */
  snail: boolean
  /** With the shop's inventory and orders. */
  inventory: boolean
  options: Partial<Omit<EngineOptions, 'url' | 'log'>>
}

export interface Request {
  id: number
  /** A note's, unless it says that it is inventory's, or an order's to be placed. */
  command: WriteNote | InventoryCommand | Extract<OrdersCommand, { type: 'place' }>
  options: CommandOptions
}

export type Message =
  | { ready: string }
  | { id: number; executed: Executed }
  | { id: number; error: { name: string; message: string; code?: string; detail?: unknown } }
  | { unhandled: string }

const tell = (message: Message) => void process.send?.(message)
process.on('unhandledRejection', (error) => tell({ unhandled: String((error as Error)?.stack ?? error) }))
process.on('disconnect', () => process.exit())

const { url, consume, poison, snail, inventory, options } = JSON.parse(process.env.CHAOS_HOST ?? '{}') as HostSettings
const engine = new Engine({ url, log: pino({ level: process.env.CHAOS_LOG ?? 'silent' }), ...options })
const notes = notesService(engine)
const selling = inventory ? sellingServices(engine) : []
const [, stock, orders] = selling
await engine.install([notes, ...(poison ? [poisonService()] : []), ...(snail ? [snailService()] : []), ...selling])

const stop = new AbortController()
const running = consume ? engine.run(stop.signal) : Promise.resolve()
running.catch((error) => tell({ unhandled: `the engine ended: ${error}` }))
process.on('SIGTERM', async () => {
  stop.abort()
  await running.catch(() => {})
  await engine.close()
  process.exit()
})

process.on('message', ({ id, command, options: given }: Request) => {
  const executed = !('type' in command)
    ? notes.execute(command, given)
    : command.type === 'place'
      ? orders?.execute(command, given)
      : stock?.execute(command, given)
  executed?.then(
    (executed) => tell({ id, executed }),
    ({ name, message, code, detail }) => tell({ id, error: { name, message, code, detail } }),
  )
})
tell({ ready: engine.name })
