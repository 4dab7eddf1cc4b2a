/**
 * Mails from files: `templates/<language>/<name>.text.eta` (its first line the subject) and `<name>.html.eta`, both inside their language's layout. One more
 * language is one more folder; what a folder lacks comes in English.
 */
import { existsSync, readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Eta } from 'eta'
import type { Data } from '../../engine/event.ts'

export interface Rendered {
  /** The language it came in. */
  locale: string
  subject: string
  text: string
  html: string
}

const fallback = 'en'
const mailKinds = ['text', 'html']
const shipped = fileURLToPath(new URL('./templates/', import.meta.url))

export class Templates {
  readonly #folder: string
  readonly #html: Eta
  readonly #text: Eta

  constructor(folder = shipped) {
    this.#folder = folder
    this.#html = new Eta({ views: folder, cache: true, autoEscape: true, autoTrim: false })
    this.#text = new Eta({ views: folder, cache: true, autoEscape: false, autoTrim: false })
  }

  languages(): string[] {
    return readdirSync(this.#folder, { withFileTypes: true })
      .flatMap((entry) => (entry.isDirectory() ? [entry.name] : []))
      .sort()
  }

  names(): string[] {
    const files = readdirSync(`${this.#folder}/${fallback}`)
    return files.flatMap((file) => /^(?!layout)(.+)\.text\.eta$/.exec(file)?.[1] ?? []).sort()
  }

  languagesOf(name: string): string[] {
    return this.languages().filter((folder) => this.#has(folder, name))
  }

  /** Throws for a template that is not there. `locale` as customers say it: `de-CH` is served by `de-CH`, else `de`, else `en`. */
  render(name: string, locale: string | null, data: Data): Rendered {
    const folder = this.#languageFor(name, locale)
    const formats = locale !== null && locale.split('-')[0] === folder.split('-')[0] ? locale : folder
    const it = { ...data, language: folder, money: moneyIn(formats), number: numberIn(formats) }
    const [first = '', ...lines] = this.#text.render(`${folder}/${name}.text.eta`, it).split('\n')
    const subject = oneLine(first.replace(/^Subject:/, ''))
    const html = this.#html.render(`${folder}/${name}.html.eta`, { ...it, subject })
    return { locale: folder, subject, text: `${lines.join('\n').trim()}\n`, html }
  }

  /** A page of a mail's own, such as the one behind its unsubscribe link. */
  page(name: string, locale: string | null, data: Data): string {
    const folder = this.#languageFor(name, locale, ['page'])
    return this.#html.render(`${folder}/${name}.page.eta`, data)
  }

  #languageFor(name: string, locale: string | null, kinds = mailKinds): string {
    const wanted = locale === null ? [] : [locale, locale.split('-')[0] ?? '']
    return wanted.find((tag) => /^[A-Za-z0-9-]+$/.test(tag) && this.#has(tag, name, kinds)) ?? fallback
  }

  #has(folder: string, name: string, kinds = mailKinds): boolean {
    return kinds.every((kind) => existsSync(`${this.#folder}/${folder}/${name}.${kind}.eta`))
  }
}

const own = new Templates()
export const render: Templates['render'] = (name, locale, data) => own.render(name, locale, data)
export const templates = own

/** A header is one line: whatever could end it, or turn the reading around, becomes a space. */
export const oneLine = (text: string) =>
  text
    .replaceAll(/[\p{C}\p{Zl}\p{Zp}]+/gu, ' ')
    .trim()
    .slice(0, 200)

/** Minor units of an ISO currency as people write them. */
function moneyIn(locale: string) {
  return ({ amount, currency }: { amount: number; currency: string }): string => {
    const format = new Intl.NumberFormat(locale, { style: 'currency', currency })
    return format.format(amount / 10 ** (format.resolvedOptions().maximumFractionDigits ?? 2))
  }
}

function numberIn(locale: string) {
  const format = new Intl.NumberFormat(locale)
  return (value: number): string => format.format(value)
}
