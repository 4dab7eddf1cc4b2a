/** Fetches media from a link: within a size and a time, over a few redirects, from public addresses alone. */
import type { IncomingMessage } from 'node:http'
import { GiveUp, RetryAfter } from '../../engine/verdict.ts'
import { type Limits, refuseTooLarge, type Taken, takeIn } from './content.ts'
import { requestTo } from './request.ts'

export interface FetchOptions {
  limits: Limits
  /** This machine and those of the own network may be fetched from, on any port: for development and tests. Link-local ones never. */
  privateHosts: boolean
  /** All of it must be here by then, redirects included. */
  timeoutMs: number
  redirectsMax: number
}

/** What a server said of content when it gave it, to be asked for another alone (RFC 9110, 13). */
export interface Validators {
  etag?: string
  lastModified?: string
}
export type Fetched = Taken & { validators: Validators }

export const usualFetch = { privateHosts: false, timeoutMs: 30_000, redirectsMax: 5 }

/** Ports of web servers; others belong to something that is no web server (PROOF, Hostile input, SSRF). */
const PORTS = ['', '80', '443', '8080', '8443']
const HOUR_MS = 3_600_000

/**
 * Fetches into a new file; undefined if the server says that it is still what it was under these validators. Throws GiveUp when trying again won't help, RetryAfter when the server said when, another error when it may. The
 * messages are for people: they say what is wrong with the link.
 */
export async function fetchInto(
  file: string,
  link: string,
  options: FetchOptions,
  signal: AbortSignal,
  known: Validators = {},
): Promise<Fetched | undefined> {
  const late = AbortSignal.timeout(options.timeoutMs)
  const stop = AbortSignal.any([signal, late])
  try {
    let url = new URL(link)
    for (let redirects = 0; ; redirects++) {
      const answer = await get(url, options, known, stop)
      const next = redirectOf(answer, url)
      const unchanged = answer.statusCode === 304 && (known.etag ?? known.lastModified) !== undefined
      if (!next && !unchanged)
        return { ...(await take(answer, file, options.limits)), validators: validatorsOf(answer) }
      answer.destroy()
      if (!next) return undefined
      if (redirects >= options.redirectsMax)
        throw new GiveUp(`it was redirected more than ${options.redirectsMax} times`)
      url = next
    }
  } catch (error) {
    if (late.aborted) throw new Error(`it was not there within ${options.timeoutMs / 1_000} s`)
    throw error instanceof GiveUp || error instanceof RetryAfter ? error : unreachable(error)
  }
}

function get(
  url: URL,
  { privateHosts }: FetchOptions,
  { etag, lastModified }: Validators,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw new GiveUp(`${url.protocol} is not fetched`)
  if (url.username || url.password) throw new GiveUp('it has a user or a password in it')
  if (!privateHosts && !PORTS.includes(url.port)) throw new GiveUp(`port ${url.port} is not fetched from`)
  const headers = {
    accept: 'image/*, video/*',
    'accept-encoding': 'identity',
    ...(etag !== undefined && { 'if-none-match': etag }),
    ...(lastModified !== undefined && { 'if-modified-since': lastModified }),
  }
  return requestTo(url, { headers, privateHosts, signal })
}

function redirectOf({ statusCode = 0, headers }: IncomingMessage, from: URL): URL | undefined {
  if (![301, 302, 303, 307, 308].includes(statusCode)) return undefined
  if (headers.location === undefined || !URL.canParse(headers.location, from.href))
    throw new GiveUp(`HTTP ${statusCode} leads nowhere`)
  return new URL(headers.location, from)
}

/** Only what can be sent back: a server may say anything. */
function validatorsOf({ headers: { etag = '', 'last-modified': lastModified = '' } }: IncomingMessage): Validators {
  return {
    ...(/^(W\/)?"[\x21\x23-\x7e]{0,500}"$/.test(etag) && { etag }),
    ...(/^[\w ,:+-]{1,60}$/.test(lastModified) && !Number.isNaN(Date.parse(lastModified)) && { lastModified }),
  }
}

async function take(answer: IncomingMessage, file: string, limits: Limits): Promise<Taken> {
  try {
    refuse(answer, limits)
    return await takeIn(answer, file, limits)
  } finally {
    answer.destroy()
  }
}

/** What the status and the headers tell already. */
function refuse({ statusCode = 0, headers }: IncomingMessage, limits: Limits): void {
  const status = `HTTP ${statusCode}`
  if ([408, 425, 429].includes(statusCode) || statusCode >= 500) {
    const ms = retryAfterMs(headers['retry-after'])
    throw ms === undefined ? new Error(status) : new RetryAfter(ms, status)
  }
  if (statusCode !== 200) throw new GiveUp(status)
  const encoding = headers['content-encoding']
  if (encoding !== undefined && encoding !== 'identity')
    throw new GiveUp(`it comes in ${encoding.slice(0, 20)} unasked`)
  const type = headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase()
  if (type === 'image/svg+xml')
    throw new GiveUp('it is an SVG drawing: JPEG, PNG, WebP, AVIF, GIF, MP4 and WebM are taken')
  if (type && !/^(image|video)\/|^(application|binary)\/octet-stream$|^application\/mp4$/.test(type))
    throw new GiveUp(`its server calls it ${type.slice(0, 60)}, which is no image or video`)
  const length = Number(headers['content-length'] ?? 0)
  refuseTooLarge(length, { kind: type?.startsWith('image/') ? 'image' : 'video' }, limits)
}

/** Seconds or a date; a second at least, an hour at most. */
function retryAfterMs(header: string | undefined): number | undefined {
  if (header === undefined) return undefined
  const ms = /^\d+$/.test(header) ? Number(header) * 1_000 : Date.parse(header) - Date.now()
  return Number.isNaN(ms) ? undefined : Math.min(HOUR_MS, Math.max(1_000, ms))
}

/** What the network or the protocol threw has a code, and words that are not for people. */
function unreachable(error: unknown): unknown {
  const { code, message } = error as NodeJS.ErrnoException
  if (code === undefined) return error
  const said = code === 'ENOTFOUND' ? 'there is no such host' : code === 'ECONNRESET' ? 'the connection broke' : message
  return new Error(`it can't be had: ${said}`, { cause: error })
}
