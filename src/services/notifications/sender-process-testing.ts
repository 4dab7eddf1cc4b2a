/** A process made to be killed: sends what is in the outbox of a database to a mail server. */
import { pino } from 'pino'
import { openDatabase } from '../../engine/database.ts'
import type { Preferences } from '../customers/events.ts'
import { composing } from './mail.ts'
import { Sender } from './sender.ts'
import { notificationDefaults } from './settings.ts'

export interface SenderProcess {
  url: string
  smtpUrl: string
  leaseMs: number
  connections: number
}

const { url, smtpUrl, leaseMs, connections }: SenderProcess = JSON.parse(process.env.SENDER_PROCESS ?? '{}')
const db = openDatabase(url)
const settings = {
  ...notificationDefaults,
  from: 'Shop <shop@shop.example>',
  smtpUrl,
  leaseMs,
  retryFirstMs: 10,
  unknownMs: 10,
  pollMs: 10,
  connections,
}
const preferences: Preferences = { channels: {}, locale: null, ui: {}, consents: {} }
const ida = { name: 'Ida', email: 'ida@mail.example', phone: null, addresses: [], preferences }
const reveal = async (ids: readonly string[]) => new Map(ids.map((id) => [id, ida]))
const stop = new AbortController()
process.on('disconnect', () => process.exit())
process.on('SIGTERM', () => stop.abort())
process.send?.('ready')
await new Sender(db, pino({ level: 'silent' }), settings, composing({ db, settings, reveal })).run(stop.signal)
await db.close()
process.disconnect?.()
