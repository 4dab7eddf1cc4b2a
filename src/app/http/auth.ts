/** Who may call what: bearer tokens (JWT), the admin page's session cookie, one-time log-in links. */
import { randomBytes } from 'node:crypto'
import type {} from '@fastify/cookie'
import type { FastifyRequest } from 'fastify'
import {
  createRemoteJWKSet,
  decodeProtectedHeader,
  errors,
  type JWTPayload,
  type JWTVerifyGetKey,
  type JWTVerifyOptions,
  jwtVerify,
  SignJWT,
} from 'jose'
import { LRUCache } from 'lru-cache'
import { Rejected } from '../../engine/decider.ts'
import type { Actor } from '../../engine/http.ts'
import { Unavailable } from '../../engine/unavailable.ts'
import { inspect } from './json.ts'

/** ADMIN may everything; the services' roles are document C's, Authentication; an analyst reads what was counted. */
export const roles = ['ADMIN', 'product-service', 'inventory-service', 'analyst'] as const
export type Role = (typeof roles)[number]

export interface AuthSettings {
  /** Signs and verifies our own tokens (HS256): at least 32 bytes. */
  secret: string
  /** Somebody else's keys (RS256, ES256, EdDSA); tokens of theirs are then taken too. */
  jwksUrl?: string
  /** What their tokens must say, when set. */
  jwksIssuer?: string
  jwksAudience?: string
}

export interface Auth {
  /**
   * The actor of a request, undefined without a token. Throws `unauthenticated` for a bad one; but where none is required, a bad
   * cookie counts as none, so that an old session does not lock anybody out of what is public.
   */
  identify(request: FastifyRequest, options: { required: boolean }): Actor | undefined | Promise<Actor | undefined>
  /** Throws `unauthenticated` or `forbidden` unless the actor has one of the roles, or is ADMIN. */
  permit(actor: Actor | undefined, roles: readonly string[]): void
  verify(token: string): Promise<Actor>
  issueToken(options: { role: Role; subject: string; ttlSeconds: number }): Promise<string>
  /** A code for `GET /login/:code`: works once, for `LOGIN_MS`. */
  createLogin(): string
  /** True once for a code that `createLogin` gave. */
  redeem(code: string): boolean
}

export const SESSION_COOKIE = 'lockstep_session'
export const SESSION_SECONDS = 12 * 3600

const TOLERANCE_SECONDS = 5
export const LOGIN_MS = 10 * 60_000
const MAX_TOKEN_LENGTH = 8_192

export function openAuth(settings: AuthSettings): Auth {
  const secret = new TextEncoder().encode(settings.secret)
  if (secret.length < 32) throw new RangeError('the secret that signs tokens must have at least 32 bytes')
  const own: JWTVerifyOptions = { algorithms: ['HS256'], issuer: 'lockstep', audience: 'lockstep' }
  const foreign: JWTVerifyOptions = {
    algorithms: ['RS256', 'ES256', 'EdDSA'],
    issuer: settings.jwksIssuer,
    audience: settings.jwksAudience,
  }
  const keys = settings.jwksUrl === undefined ? undefined : remoteKeys(settings.jwksUrl)
  // Verified once, trusted until it expires: the hot path does no cryptography.
  const known = new LRUCache<string, { actor: Actor; untilMs: number }>({ max: 10_000 })
  const logins = new Map<string, number>()

  const claims = async (token: string): Promise<JWTPayload> => {
    const options = { requiredClaims: ['exp'], clockTolerance: TOLERANCE_SECONDS }
    // The algorithm chooses the kind of key, never the other way round: a public key can't become an HMAC secret.
    if (decodeProtectedHeader(token).alg === 'HS256')
      return (await jwtVerify(token, secret, { ...own, ...options })).payload
    if (!keys) throw unauthenticated('is signed in a way we do not take')
    return (await jwtVerify(token, keys, { ...foreign, ...options })).payload
  }

  const verify = async (token: string): Promise<Actor> => {
    const hit = known.get(token)
    if (hit && hit.untilMs > Date.now()) return hit.actor
    if (token.length > MAX_TOKEN_LENGTH) throw unauthenticated('is too long')
    const payload = await claims(token).catch(refuse)
    try {
      inspect(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
    } catch {
      throw unauthenticated('has a claim twice')
    }
    const actor = actorOf(payload)
    known.set(token, { actor, untilMs: ((payload.exp ?? 0) + TOLERANCE_SECONDS) * 1_000 })
    return actor
  }

  return {
    verify,
    identify(request, { required }) {
      const header = bearer(request)
      const token = header ?? session(request)
      if (token === undefined) return undefined
      const hit = known.get(token)
      if (hit && hit.untilMs > Date.now()) return hit.actor
      return header !== undefined || required ? verify(token) : verify(token).catch(() => undefined)
    },
    permit(actor, allowed) {
      if (!actor) throw unauthenticated()
      if (actor.roles.includes('ADMIN') || allowed.some((role) => actor.roles.includes(role))) return
      throw new Rejected(
        'forbidden',
        { roles: [...new Set(['ADMIN', ...allowed])] },
        `This needs one of the roles ${['ADMIN', ...allowed].join(', ')}.`,
      )
    },
    issueToken: ({ role, subject, ttlSeconds }) =>
      new SignJWT({ role })
        .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
        .setSubject(subject)
        .setIssuer('lockstep')
        .setAudience('lockstep')
        .setIssuedAt()
        .setExpirationTime(Math.floor(Date.now() / 1_000) + ttlSeconds)
        .sign(secret),
    createLogin() {
      for (const [code, until] of logins) if (until < Date.now()) logins.delete(code)
      const code = randomBytes(24).toString('base64url')
      logins.set(code, Date.now() + LOGIN_MS)
      return code
    },
    redeem(code) {
      const until = logins.get(code)
      return logins.delete(code) && until !== undefined && until > Date.now()
    },
  }
}

function unauthenticated(why?: string): Rejected {
  return new Rejected(
    'unauthenticated',
    {},
    why === undefined ? 'This needs a token: send Authorization: Bearer …' : `The token ${why}.`,
  )
}

/** The keys behind a URL. It is the only address ever asked: `jku`, `x5u` and the like in a token are never looked at. */
function remoteKeys(url: string): JWTVerifyGetKey {
  const jwks = createRemoteJWKSet(new URL(url), { timeoutDuration: 3_000 })
  return async (header, token) => {
    try {
      return await jwks(header, token)
    } catch (error) {
      if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys) {
        throw unauthenticated('is signed with a key we do not know')
      }
      throw new Unavailable('The keys that verify tokens can not be fetched.')
    }
  }
}

/** Says in plain words what jose found. */
function refuse(error: unknown): never {
  if (error instanceof Rejected || error instanceof Unavailable) throw error
  if (error instanceof errors.JWTExpired) throw unauthenticated('has expired')
  if (error instanceof errors.JWTClaimValidationFailed)
    throw unauthenticated(`has a wrong or missing claim: ${error.claim}`)
  throw unauthenticated('is not valid')
}

function actorOf(payload: JWTPayload): Actor {
  if (payload.iat !== undefined && payload.iat > Date.now() / 1_000 + TOLERANCE_SECONDS)
    throw unauthenticated('was issued in the future')
  if (typeof payload.sub !== 'string' || payload.sub === '' || payload.sub.length > 200)
    throw unauthenticated('names nobody: sub is missing')
  const named = payload.role ?? payload.roles ?? []
  const list = typeof named === 'string' ? [named] : named
  if (!Array.isArray(list) || !list.every((role) => typeof role === 'string'))
    throw unauthenticated('has roles that are no list of text')
  return { subject: payload.sub, roles: list }
}

function bearer(request: FastifyRequest): string | undefined {
  const header = request.headers.authorization
  if (header === undefined) return undefined
  const token = /^Bearer +([^\s]+)$/i.exec(header)?.[1]
  if (token === undefined) throw unauthenticated('must come as Authorization: Bearer …')
  return token
}

/** The cookie counts only for the page's own requests: SameSite=Strict lets other ports of the same host through, so the origin is compared. */
function session(request: FastifyRequest): string | undefined {
  const token = request.cookies[SESSION_COOKIE]
  if (!token) return undefined
  const { origin, host } = request.headers
  if (origin !== undefined && URL.parse(origin)?.host !== host) return undefined
  return token
}
