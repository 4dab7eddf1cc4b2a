import { pino } from 'pino'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createTestDatabase } from '../../../test/database.ts'
import { applySchema } from '../../../test/made-events.ts'
import { type Database, openDatabase } from '../../engine/database.ts'
import type { Person, Preferences } from '../customers/events.ts'
import { composing, messageId } from './mail.ts'
import { putInOutbox } from './outbox.ts'
import { discardMail, listMails, retryMail } from './read.ts'
import { Sender } from './sender.ts'
import { type NotificationSettings, notificationDefaults } from './settings.ts'
import { type MailServer, type Stage, startMailServer } from './smtp-testing.ts'

let db: Database
let server: MailServer
let logged: string[] = []
let people: Map<string, Person & { preferences: Preferences }>
const senders: Sender[] = []
const log = pino({ level: 'debug' }, { write: (line: string) => void logged.push(line) })
const from = 'Shop <shop@shop.example>'
const preferences: Preferences = { channels: {}, locale: null, ui: {}, consents: {} }
const ida = { name: "Ida O'Neil", email: 'ida@mail.example', phone: null, addresses: [], preferences }

beforeAll(async () => {
  db = openDatabase((await createTestDatabase()).url)
  await applySchema(db, new URL('./schema/', import.meta.url))
})
beforeEach(async () => {
  server = await startMailServer()
  people = new Map([['ida', ida]])
  logged = []
  await db`truncate notifications.mails, notifications.sent`
})
afterEach(async () => {
  for (const one of senders.splice(0)) one.close()
  await server.close()
})
afterAll(() => db.close())

function sender(given: Partial<NotificationSettings> = {}, url = server.url, paused = async () => {}): Sender {
  const settings = {
    ...notificationDefaults,
    adminEmail: 'admin@example.com',
    from,
    retryFirstMs: 0,
    unknownMs: 0,
    ...given,
    smtpUrl: url,
  }
  const reveal = async (ids: readonly string[]) => {
    await paused()
    return new Map([...people].filter(([id]) => ids.includes(id)))
  }
  const made = new Sender(db, log, settings, composing({ db, settings, reveal }))
  senders.push(made)
  return made
}

let made = 0
async function queue(customerId = 'ida', thread: string | null = null): Promise<string> {
  const id = `0197a000-0000-7000-8000-${String(++made).padStart(12, '0')}`
  const order = { id: `o${made}`, status: 'paid', totals: [], lines: [] }
  const mail = { id, template: 'order-status', customerId, topic: 'order_status', thread, data: { order } }
  await putInOutbox(db, mail, 'queued')
  return id
}
const mail = async (id: string) => {
  const found = (await listMails(db, {}, undefined, 1_000)).find((each) => each.id === id)
  if (!found) throw new Error('no such mail')
  return found
}
const drain = async (one: Sender) => {
  while ((await one.runOnce()) > 0);
}

test('a mail arrives once, whole, and says what it is', async () => {
  const id = await queue()
  await drain(sender())
  const [arrived, ...more] = server.mails
  expect(more).toEqual([])
  expect(arrived).toMatchObject({
    from: { name: 'Shop', address: 'shop@shop.example' },
    to: [{ name: "Ida O'Neil", address: 'ida@mail.example' }],
    subject: `Your order o${made} has been paid`,
    messageId: messageId(id, from),
  })
  expect(arrived?.text).toContain("Hello Ida O'Neil,")
  expect(arrived?.html).toContain('Hello Ida O&#39;Neil,')
  const headers = new Map(arrived?.headers.map(({ key, value }) => [key, value]))
  expect(headers.get('auto-submitted')).toBe('auto-generated')
  expect(await mail(id)).toMatchObject({ state: 'sent', attempts: 1, possiblyTwice: false, error: null })
  expect((await mail(id)).response).toMatch(/^250/)
})

test('a customer’s mail has the button of mail programs that says no more, where there is an address for it', async () => {
  const [without, with_] = [await queue(), await queue()]
  const [first, second] = [sender({ connections: 1 }), sender({ publicUrl: 'https://shop.example' })]
  await db`update notifications.mails set due_at = due_at + interval '1 hour' where id = ${with_}`
  await drain(first)
  await db`update notifications.mails set due_at = now()`
  await drain(second)
  const headers = server.mails.map((mail) => new Map(mail.headers.map(({ key, value }) => [key, value])))
  expect(server.mails.map(({ messageId }) => messageId)).toEqual([messageId(without, from), messageId(with_, from)])
  expect(headers[0]?.get('list-unsubscribe')).toBeUndefined()
  const { token } = await mail(with_)
  expect(headers[1]?.get('list-unsubscribe')).toBe(`<https://shop.example/v1/notifications/unsubscribe/${token}>`)
  expect(headers[1]?.get('list-unsubscribe-post')).toBe('List-Unsubscribe=One-Click')
})

test('no name, subject or address adds a header or a recipient', async () => {
  const evil = 'Ida\r\nBcc: all@example.com\r\n\r\n<b>'
  people.set('ida', { ...ida, name: evil })
  const id = await queue()
  await db`update notifications.mails set data = ${JSON.stringify({ order: { id: 'x\r\nBcc: all@example.com', status: 'paid', totals: [], lines: [] } })}::json where id = ${id}`
  await drain(sender())
  const [arrived] = server.mails
  expect(arrived?.bcc).toBeUndefined()
  expect(arrived?.headers.filter(({ key }) => key === 'bcc')).toEqual([])
  expect(arrived?.to).toHaveLength(1)
  people.set('ida', { ...ida, email: 'ida@mail.example>\r\nRCPT TO:<all@example.com' })
  const second = await queue()
  await drain(sender())
  expect((await mail(second)).state).not.toBe('sent')
  expect(server.mails).toHaveLength(1)
})

describe('a server that refuses', () => {
  test.each<[Stage, number, string]>([
    ['mail', 451, 'deferred'],
    ['rcpt', 450, 'deferred'],
    ['data', 452, 'deferred'],
    ['mail', 553, 'failed'],
    ['rcpt', 550, 'failed'],
    ['data', 554, 'failed'],
  ])('at %s with %i leaves the mail %s', async (stage, code, state) => {
    const id = await queue()
    server.refuse(stage, code, 1, 'no such user ida@mail.example here')
    const one = sender({ retryFirstMs: 60_000 })
    await one.runOnce()
    expect(await mail(id)).toMatchObject({ state, attempts: 1, possiblyTwice: false })
    expect((await mail(id)).error).toContain(String(code))
    expect((await mail(id)).error).not.toContain('ida@mail')
    expect(logged.join('')).not.toContain('ida@mail')
    await retryMail(db, id)
    await one.runOnce()
    expect(await mail(id)).toMatchObject({ state: 'sent', error: null })
    expect(server.counts()).toEqual({ [messageId(id, from)]: 1 })
  })

  test('later and later delivers once when it takes it', async () => {
    const id = await queue()
    server.refuse('rcpt', 450, 3)
    server.refuse('data', 451, 2)
    await drain(sender())
    expect(await mail(id)).toMatchObject({ state: 'sent', attempts: 6, possiblyTwice: false })
    expect(server.counts()).toEqual({ [messageId(id, from)]: 1 })
  })

  test('for days makes it fail', async () => {
    const id = await queue()
    server.refuse('rcpt', 450)
    await sender({ giveUpMs: 0 }).runOnce()
    expect(await mail(id)).toMatchObject({ state: 'failed' })
    expect((await mail(id)).error).toContain('put off for too long')
  })

  test('one mail takes the others as before', async () => {
    const ids = [await queue(), await queue(), await queue(), await queue(), await queue()]
    server.refuse('rcpt', 550)
    await drain(sender())
    const states = await Promise.all(ids.map(async (id) => (await mail(id)).state))
    expect(states.toSorted()).toEqual(['failed', 'sent', 'sent', 'sent', 'sent'])
  })
})

describe('a server that is away', () => {
  test('costs no mail an attempt, and is said once', async () => {
    const id = await queue()
    await server.close()
    const one = sender()
    for (let n = 0; n < 3; n++) await one.runOnce()
    expect(await mail(id)).toMatchObject({ state: 'deferred', attempts: 0 })
    expect(logged.filter((line) => line.includes('the mail server is away'))).toHaveLength(1)
    server = await startMailServer()
    await drain(sender())
    expect(server.counts()).toEqual({ [messageId(id, from)]: 1 })
  })

  test.each([421, 554])('because it greets with %i, does so too', async (code) => {
    const id = await queue()
    server.refuse('connect', code)
    const one = sender()
    await one.runOnce()
    expect(await mail(id)).toMatchObject({ state: 'deferred', attempts: 0 })
    await one.runOnce()
    expect(await mail(id)).toMatchObject({ state: 'sent' })
  })

  test('because it does not greet, or does not answer, is given up at its deadline', async () => {
    const { createServer } = await import('node:net')
    for (const greeting of ['', '220 hello\r\n']) {
      const mute = createServer((socket) => {
        socket.on('error', () => {})
        socket.write(greeting)
      })
      await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve))
      const { port } = mute.address() as { port: number }
      const id = await queue()
      await sender({ greetingMs: 50, silenceMs: 50 }, `smtp://127.0.0.1:${port}`).runOnce()
      expect(await mail(id)).toMatchObject({ state: 'deferred', attempts: 0 })
      await discardMail(db, id)
      mute.close()
    }
  })

  test('because it does not let us in, keeps the mail', async () => {
    await server.close()
    let passwords: unknown[] = []
    server = await startMailServer({
      authOptional: false,
      allowInsecureAuth: true,
      onAuth: ({ username, password }, _session, done) => {
        passwords.push([username, password])
        done(null, password === 'right %' ? { user: username } : undefined)
      },
    })
    const login = (password: string) => server.url.replace('://', `://shop:${encodeURIComponent(password)}@`)
    const id = await queue()
    await sender({}, login('wrong')).runOnce()
    expect(await mail(id)).toMatchObject({ state: 'deferred', attempts: 0 })
    passwords = []
    await drain(sender({}, login('right %')))
    expect(passwords).toEqual([['shop', 'right %']])
    expect(await mail(id)).toMatchObject({ state: 'sent' })
    expect(logged.join('')).not.toContain('wrong"')
  })
})

describe('over TLS', () => {
  test.each([
    'smtps',
    'smtp',
  ])('%s: a certificate that nobody vouches for is refused, unless told otherwise', async (scheme) => {
    await server.close()
    server = await startMailServer({ scheme, secure: scheme === 'smtps', disabledCommands: [] })
    const id = await queue()
    const url = scheme === 'smtp' ? `${server.url}?requireTLS=true` : server.url
    await sender({}, url).runOnce()
    expect(await mail(id)).toMatchObject({ state: 'deferred', attempts: 0 })
    const lax = `${url}${url.includes('?') ? '&' : '?'}tls.rejectUnauthorized=false`
    await drain(sender({}, lax))
    expect(await mail(id)).toMatchObject({ state: 'sent' })
    expect(server.counts()).toEqual({ [messageId(id, from)]: 1 })
  })
})

describe('a connection lost', () => {
  test('before the end of DATA delivers nothing, and the mail goes out once after it', async () => {
    const id = await queue()
    const lines = Array.from({ length: 2_000 }, (_, n) => ({
      sku: `SKU-${n}`,
      quantity: 1,
      returned: 0,
      unitPrice: null,
    }))
    await db`update notifications.mails set data = ${JSON.stringify({ order: { id: 'o', status: 'paid', totals: [], lines } })}::json where id = ${id}`
    server.cutData()
    const one = sender()
    await one.runOnce()
    const after = await mail(id)
    // Whether the cut came before or after the last byte was given is the network's to say; it is never taken for delivered.
    expect(['deferred', 'unknown']).toContain(after.state)
    await drain(one)
    expect(await mail(id)).toMatchObject({ state: 'sent', attempts: 2, possiblyTwice: after.state === 'unknown' })
    expect(server.counts()).toEqual({ [messageId(id, from)]: 1 })
  })

  test('between the end of DATA and its answer makes it unknown: sent again as the same mail, and said', async () => {
    const id = await queue()
    server.swallowAnswer()
    const one = sender({ unknownMs: 60_000 })
    await one.runOnce()
    expect(await mail(id)).toMatchObject({ state: 'unknown', possiblyTwice: false })
    await db`update notifications.mails set due_at = now()`
    await drain(one)
    expect(await mail(id)).toMatchObject({ state: 'sent', attempts: 2, possiblyTwice: true })
    expect(server.counts()).toEqual({ [messageId(id, from)]: 2 })
    const [first, second] = server.mails
    expect({ ...second, headers: [], headerLines: [] }).toEqual({ ...first, headers: [], headerLines: [] })
  })

  test('without an answer at all makes it unknown, too, at the mail’s deadline', async () => {
    const id = await queue()
    server.answers = false
    await sender({ mailMs: 2_000, unknownMs: 60_000 }).runOnce()
    expect(await mail(id)).toMatchObject({ state: 'unknown', error: 'the mail server took too long' })
  })

  test('an unknown mail that is discarded is not sent again', async () => {
    const id = await queue()
    server.swallowAnswer()
    const one = sender()
    await one.runOnce()
    await discardMail(db, id)
    await drain(one)
    expect(server.mails).toHaveLength(1)
    expect((await mail(id)).state).toBe('discarded')
  })
})

describe('the database lost', () => {
  test('when the server has the mail: that it was sent is noted later, and it is not sent again', async () => {
    const ids = await Promise.all(Array.from({ length: 6 }, () => queue()))
    const other = openDatabase(db.url, { name: 'cutter', max: 1 })
    server.onMail = () =>
      other`select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and application_name <> 'cutter'`
    await drain(sender({ leaseMs: 60_000, connections: 1 }))
    await other.close()
    expect(server.counts()).toEqual(Object.fromEntries(ids.map((id) => [messageId(id, from), 1])))
    expect((await listMails(db, { state: 'sent' }, undefined, 10)).length).toBe(6)
  })

  test('just before a mail is handed over: it is not, and goes out once afterwards', async () => {
    const id = await queue()
    const one = sender({}, server.url, async () => {
      await db`alter table notifications.mails rename column handed_at to lost`
    })
    await one.runOnce()
    await db`alter table notifications.mails rename column lost to handed_at`
    expect(server.mails).toEqual([])
    await db`update notifications.mails set lease_until = now() - interval '1 s' where state = 'sending'`
    await drain(sender())
    expect(server.counts()).toEqual({ [messageId(id, from)]: 1 })
    expect(await mail(id)).toMatchObject({ state: 'sent', possiblyTwice: false })
  })
})

describe('several senders', () => {
  test('send each mail once', async () => {
    const ids = await Promise.all(Array.from({ length: 40 }, () => queue()))
    await Promise.all([sender(), sender(), sender()].map(drain))
    expect(server.counts()).toEqual(Object.fromEntries(ids.map((id) => [messageId(id, from), 1])))
  })

  test('one whose claim ran out hands over nothing, however late it wakes up', async () => {
    const id = await queue()
    const reached = Promise.withResolvers<void>()
    const woken = Promise.withResolvers<void>()
    const slow = sender({}, server.url, () => {
      reached.resolve()
      return woken.promise
    })
    const late = slow.runOnce()
    await reached.promise
    await db`update notifications.mails set lease_until = now() - interval '1 s'`
    await drain(sender())
    woken.resolve()
    await late
    expect(server.counts()[messageId(id, from)]).toBe(1)
    expect((await mail(id)).state).toBe('sent')
  })

  test('the mails of a thread go out one after another, also when the first is put off', async () => {
    const [first, second] = [await queue('ida', 'order/1'), await queue('ida', 'order/1')]
    server.refuse('rcpt', 450)
    await drain(sender())
    expect(server.mails.map(({ messageId }) => messageId)).toEqual([messageId(first, from), messageId(second, from)])
  })
})

test('a customer who was erased, or says no, after the mail was queued gets none', async () => {
  const [gone, unwilling] = [await queue('nobody'), await queue('ida')]
  people.set('ida', { ...ida, preferences: { ...preferences, channels: { order_status: [] } } })
  await drain(sender())
  expect(await mail(gone)).toMatchObject({ state: 'dropped', error: 'the customer is unknown or was erased' })
  expect(await mail(unwilling)).toMatchObject({ state: 'dropped' })
  expect(server.mails).toEqual([])
})

test('what can not be made of its template waits, with the reason', async () => {
  const id = await queue()
  await db`update notifications.mails set template = 'no-such' where id = ${id}`
  await sender({ retryFirstMs: 60_000 }).runOnce()
  expect(await mail(id)).toMatchObject({ state: 'deferred' })
  expect((await mail(id)).error).toContain('no-such')
})

test('connections are used again', async () => {
  for (let n = 0; n < 12; n++) await queue()
  await drain(sender({ connections: 3 }))
  expect(server.mails).toHaveLength(12)
  expect(server.connections).toBeLessThanOrEqual(3)
})

test('it ends when told to, and leaves what it had not handed over to others', async () => {
  const ids = await Promise.all(Array.from({ length: 5 }, () => queue()))
  const stop = new AbortController()
  server.onMail = () => stop.abort()
  await sender({ connections: 1, pollMs: 1 }).run(stop.signal)
  server.onMail = () => {}
  expect(server.mails).toHaveLength(1)
  await drain(sender())
  expect(server.counts()).toEqual(Object.fromEntries(ids.map((id) => [messageId(id, from), 1])))
})
