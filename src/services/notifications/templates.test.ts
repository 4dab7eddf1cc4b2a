import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { messageId } from './mail.ts'
import { samples } from './samples.ts'
import { oneLine, Templates, templates } from './templates.ts'

test('every template has a sample and every sample a template', () => {
  expect(templates.names()).toEqual(Object.keys(samples).sort())
})

const all = templates
  .names()
  .flatMap((name) => templates.languagesOf(name).map((language) => [name, language] as const))

test.each(all)('%s in %s says all of its sample, and nothing that is not there', (name, language) => {
  const { subject, text, html, locale } = templates.render(name, language, samples[name] ?? {})
  expect(locale).toBe(language)
  expect(subject).not.toBe('')
  for (const part of [subject, text, html]) expect(part).not.toMatch(/undefined|\[object|NaN|<%|%>/)
  expect(html).toContain('<!doctype html>')
  expect(html).toContain('prefers-color-scheme: dark')
  expect(text).not.toContain('Subject:')
})

const evil = `<img src=x onerror="alert('1')">& "quoted"`

test('what comes from outside is text in the page, and itself in plain text', () => {
  const order = {
    id: evil,
    status: 'paid',
    totals: [],
    lines: [{ sku: evil, quantity: 1, returned: 0, unitPrice: null }],
  }
  for (const name of ['order-status', 'order-confirmed']) {
    const { html, text } = templates.render(name, null, { customer: { name: evil }, order })
    expect(html).not.toContain('<img')
    expect(html).toContain('&lt;img src=x onerror=')
    expect(text).toContain(evil)
  }
  const skus = [{ sku: evil, available: 1, threshold: 3, out: false }]
  const { html } = templates.render('stock-alert', null, { total: 1, out: 0, products: [{ productId: evil, skus }] })
  expect(html).not.toContain('<img')
})

test('no text makes two lines of a subject', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 400 }), (text) => {
      expect(oneLine(text)).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u)
      expect(oneLine(text).length).toBeLessThanOrEqual(200)
    }),
  )
  const order = { id: 'A\r\nBcc: all@example.com\r\n\r\nbody', status: 'paid', totals: [], lines: [] }
  const { subject } = templates.render('order-status', null, { customer: { name: 'x' }, order })
  expect(subject).not.toMatch(/[\r\n]/)
})

test('one more language is one folder, and what it lacks comes in English', () => {
  const folder = mkdtempSync(join(tmpdir(), 'templates-'))
  try {
    cpSync(join(import.meta.dirname, 'templates/en'), join(folder, 'en'), { recursive: true })
    mkdirSync(join(folder, 'fr'))
    writeFileSync(join(folder, 'fr/order-status.text.eta'), 'Subject: Votre commande <%= it.order.id %>\nBonjour\n')
    writeFileSync(join(folder, 'fr/order-status.html.eta'), '<p>Bonjour <%= it.money(it.order.totals[0]) %></p>')
    const more = new Templates(folder)
    expect(more.render('order-status', 'fr-CH', samples['order-status'] ?? {})).toMatchObject({
      locale: 'fr',
      subject: 'Votre commande ORDER-1042',
      text: 'Bonjour\n',
    })
    expect(more.render('order-confirmed', 'fr', samples['order-confirmed'] ?? {}).locale).toBe('en')
    expect(more.render('order-status', '../../etc', samples['order-status'] ?? {}).locale).toBe('en')
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('more than a mail lists is counted', () => {
  const { text, html } = templates.render('stock-alert', null, { ...samples['stock-alert'], total: 1_003 })
  for (const part of [text, html]) expect(part).toContain('And 1,000 more')
})

test.each([
  ['Shop <shop@example.com>', '<7@example.com>'],
  ['shop@mail.example.com', '<7@mail.example.com>'],
  ['nobody', '<7@localhost>'],
])('a mail from %s is %s', (from, id) => {
  expect(messageId('7', from)).toBe(id)
})
