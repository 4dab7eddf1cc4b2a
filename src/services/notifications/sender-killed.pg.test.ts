/** Processes that end at any moment of sending: what may arrive twice is told, what may not does not, and nothing is lost. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { until } from '../../../test/chaos/ownership.ts'
import { isStopped } from '../../../test/chaos/supervisor.ts'
import { createTestDatabase } from '../../../test/database.ts'
import { applySchema } from '../../../test/made-events.ts'
import { type Database, openDatabase } from '../../engine/database.ts'
import { messageId } from './mail.ts'
import { putInOutbox } from './outbox.ts'
import { listMails } from './read.ts'
import type { SenderProcess } from './sender-process-testing.ts'
import { type MailServer, startMailServer } from './smtp-testing.ts'

// Processes start and claims run out: on a busy machine both take their time.
vi.setConfig({ testTimeout: 180_000 })

let db: Database
let server: MailServer
const children = new Set<ChildProcess>()
const folder = mkdtempSync(join(tmpdir(), 'lockstep-mail-'))
const failpointLog = join(folder, 'failpoints')
const from = 'Shop <shop@shop.example>'

beforeAll(async () => {
  db = openDatabase((await createTestDatabase()).url)
  await applySchema(db, new URL('./schema/', import.meta.url))
})
beforeEach(async () => {
  server = await startMailServer()
  await db`truncate notifications.mails, notifications.sent`
})
afterEach(async () => {
  for (const child of children) child.kill('SIGKILL')
  await server.close()
})
afterAll(async () => {
  await db.close()
  rmSync(folder, { recursive: true })
})

function start(failpoints = '', connections = 2): { pid: number; child: ChildProcess; ended: Promise<unknown> } {
  const child = fork(fileURLToPath(new URL('./sender-process-testing.ts', import.meta.url)), {
    execArgv: [],
    env: {
      PATH: process.env.PATH,
      SENDER_PROCESS: JSON.stringify({
        url: db.url,
        smtpUrl: server.url,
        leaseMs: 2_500,
        connections,
      } satisfies SenderProcess),
      LOCKSTEP_FAILPOINTS: failpoints,
      LOCKSTEP_FAILPOINT_LOG: failpointLog,
    },
  })
  children.add(child)
  const ended = once(child, 'exit').then(([code, signal]) => {
    children.delete(child)
    return signal ?? code
  })
  return { pid: child.pid as number, child, ended }
}

let made = 0
const queue = async (count: number) => {
  const ids = Array.from({ length: count }, () => `0197a000-0000-7000-8000-${String(++made).padStart(12, '0')}`)
  const order = { id: 'o', status: 'paid', totals: [], lines: [] }
  for (const id of ids)
    await putInOutbox(
      db,
      { id, template: 'order-status', customerId: 'ida', topic: 'order_status', thread: null, data: { order } },
      'queued',
    )
  return ids
}
const allSent = () => until(async () => (await db`select from notifications.mails where state <> 'sent'`).length === 0)

/** By mail: how often it arrived, and whether its row says that it may have been more than once. */
async function told(ids: string[]) {
  const counts = server.counts()
  expect(Object.keys(counts).sort()).toEqual(ids.map((id) => messageId(id, from)).sort())
  const rows = await listMails(db, {}, undefined, 1_000)
  return rows.map(({ id, possiblyTwice }) => ({ arrived: counts[messageId(id, from)] ?? 0, possiblyTwice }))
}

test.each<[string, string, { twice: boolean; doubted: boolean }]>([
  ['before anything was sent', 'mail-claimed=kill', { twice: false, doubted: false }],
  ['when all but the end of DATA was sent', 'mail-handed=kill@3', { twice: false, doubted: true }],
  ['when the server had taken it', 'mail-accepted=kill@3', { twice: true, doubted: true }],
])('killed %s', async (_when, failpoint, { twice, doubted }) => {
  const ids = await queue(9)
  // On one connection, so that no other mail is between its end and its answer at the time.
  expect(await start(failpoint, 1).ended).toBe('SIGKILL')
  const second = start('', 1)
  await allSent()
  const mails = await told(ids)
  expect(mails.every(({ arrived }) => arrived >= 1)).toBe(true)
  // Nothing arrives twice without its row saying so.
  expect(mails.filter(({ arrived, possiblyTwice }) => arrived > 1 && !possiblyTwice)).toEqual([])
  expect(mails.some(({ arrived }) => arrived > 1)).toBe(twice)
  expect(mails.filter(({ possiblyTwice }) => possiblyTwice)).toHaveLength(doubted ? 1 : 0)
  second.child.kill('SIGTERM')
  expect(await second.ended).toBe(0)
})

test('stopped before it hands over, and woken up when another has sent: it hands over nothing', async () => {
  const ids = await queue(4)
  const first = start('mail-claimed=stop')
  await until(() => isStopped(first.pid))
  const second = start()
  await allSent()
  first.child.kill('SIGCONT')
  const [late] = await queue(1)
  ids.push(late as string)
  await allSent()
  expect(await told(ids)).toEqual(ids.map(() => ({ arrived: 1, possiblyTwice: false })))
  expect([first.child.exitCode, second.child.exitCode]).toEqual([null, null])
})

test('stopped while it hands over: what another then sends again says that it may be the second', async () => {
  const ids = await queue(1)
  const first = start('mail-handed=stop')
  await until(() => isStopped(first.pid))
  start()
  await allSent()
  first.child.kill('SIGCONT')
  await until(() => server.mails.length === 2)
  expect(await told(ids)).toEqual([{ arrived: 2, possiblyTwice: true }])
  expect((await listMails(db, {}, undefined, 1))[0]).toMatchObject({ state: 'sent', attempts: 2 })
})

test('killed again and again at any moment, all mails arrive, and only those in doubt twice', async () => {
  const ids = await queue(40)
  for (let n = 0; n < 4; n++) {
    const sent = server.mails.length
    const { child, ended } = start()
    await until(() => server.mails.length > sent + (n % 3) * 3)
    child.kill('SIGKILL')
    await ended
  }
  start()
  await allSent()
  const mails = await told(ids)
  expect(mails.filter(({ arrived, possiblyTwice }) => arrived > 1 && !possiblyTwice)).toEqual([])
  expect(mails.filter(({ possiblyTwice }) => possiblyTwice).length).toBeLessThanOrEqual(8)
})

test('every point at which a sender was to be lost was reached', () => {
  const hit = existsSync(failpointLog) ? readFileSync(failpointLog, 'utf8') : ''
  for (const point of ['mail-claimed', 'mail-handed', 'mail-accepted']) expect(hit).toContain(point)
})
