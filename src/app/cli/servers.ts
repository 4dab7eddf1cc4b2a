/** The servers that run, asked over HTTP for what only they know: what is in their memory. */
import { exits, Failure } from './failure.ts'

export interface ServerOptions {
  /** Ask this one alone. */
  url?: string
}

/** What one server answered. */
export interface Answered<Body> {
  url: string
  status: number
  body: Body
}

const PATIENCE_MS = 10_000

/**
 * Asks every server on the data directory, or the one named, as ADMIN. Throws a Failure: with exit code 7 when none is there, with 4 when one does
 * not know our key.
 */
export async function askServers<Body>(
  options: ServerOptions,
  path: string,
  method: 'GET' | 'POST' = 'GET',
): Promise<Answered<Body>[]> {
  const [{ readConfig }, { announced }] = await Promise.all([import('../config.ts'), import('../addresses.ts')])
  const config = readConfig(process.env)
  const found = options.url !== undefined ? [origin(options.url)] : await announced(config.dataDirectory)
  const host = config.host.includes(':') ? `[${config.host}]` : config.host
  const urls = found.length > 0 ? found : [`http://${host}:${config.port}`]
  const headers = { authorization: `Bearer ${await adminToken(config)}` }
  const answers = await Promise.all(urls.map((url) => ask<Body>(url, path, method, headers)))
  const there = answers.filter((answer) => answer !== undefined)
  if (there.length === 0)
    throw new Failure(
      exits.unavailable,
      `no server answers at ${urls.join(', ')}`,
      'start one with `lockstep serve`, or name one with --url',
    )
  const strange = there.find(({ status }) => status === 401 || status === 403)
  if (strange)
    throw new Failure(
      exits.auth,
      `${strange.url} does not take our token`,
      process.env.LOCKSTEP_TOKEN
        ? 'set LOCKSTEP_TOKEN to a token for ADMIN that is still good, or to none'
        : 'set LOCKSTEP_DATA or LOCKSTEP_JWT_SECRET as it has them, or LOCKSTEP_TOKEN to a token of its issuer',
    )
  return there
}

function origin(given: string): string {
  const url = URL.parse(given)
  if (url && /^https?:$/.test(url.protocol)) return url.origin
  throw new Failure(
    exits.usage,
    `--url must be an address such as http://127.0.0.1:4000; it is ${JSON.stringify(given)}`,
  )
}

async function adminToken(config: Parameters<typeof import('../config.ts').jwtSecret>[0]): Promise<string> {
  if (process.env.LOCKSTEP_TOKEN) return process.env.LOCKSTEP_TOKEN
  const [{ jwtSecret }, { openAuth }] = await Promise.all([import('../config.ts'), import('../http/auth.ts')])
  const secret = await jwtSecret(config)
  if (secret !== undefined) return openAuth({ secret }).issueToken({ role: 'ADMIN', subject: 'cli', ttlSeconds: 60 })
  throw new Failure(
    exits.auth,
    'there is no key to sign with: tokens come from the issuer behind LOCKSTEP_JWKS_URL',
    'set LOCKSTEP_TOKEN to one of its tokens for ADMIN',
  )
}

/** Undefined when nobody is there. */
async function ask<Body>(
  url: string,
  path: string,
  method: string,
  headers: Record<string, string>,
): Promise<Answered<Body> | undefined> {
  let response: Response
  try {
    response = await fetch(`${url}/v1${path}`, { method, headers, signal: AbortSignal.timeout(PATIENCE_MS) })
  } catch {
    return undefined
  }
  const body = (await response.json().catch(() => undefined)) as Body & { type?: string; detail?: string }
  if (response.ok || [401, 403, 404].includes(response.status)) return { url, status: response.status, body }
  throw new Failure(exits.failed, `${url} answered ${response.status}: ${body?.detail ?? 'no reason given'}`)
}
