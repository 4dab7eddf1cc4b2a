/**
 * Sealing of personal fields: AES-256-GCM with a key of the customer's own. Whoever deletes the key has erased what was sealed, wherever copies are.
 * Pure: the nonce is made of what is sealed, so the same fields under the same key are the same text, and a nonce never serves two texts.
 */
import { createCipheriv, createDecipheriv, createHmac, hash, randomBytes } from 'node:crypto'
import { type Person, person } from './events.ts'

const cipher = 'aes-256-gcm'
const NONCE_BYTES = 12
const TAG_BYTES = 16

/** A new customer's key, base64url. */
export const newKey = (): string => randomBytes(32).toString('base64url')

export function seal(key: string, fields: Person): string {
  const secret = Buffer.from(key, 'base64url')
  const text = JSON.stringify(fields)
  const nonce = createHmac('sha256', secret).update('nonce').update(text).digest().subarray(0, NONCE_BYTES)
  const sealing = createCipheriv(cipher, secret, nonce)
  const sealed = [sealing.update(text, 'utf8'), sealing.final()]
  return Buffer.concat([nonce, sealing.getAuthTag(), ...sealed]).toString('base64url')
}

/** Throws when the key is another one, or the text was changed. */
export function unseal(key: string, sealed: string): Person {
  const bytes = Buffer.from(sealed, 'base64url')
  const body = NONCE_BYTES + TAG_BYTES
  const opening = createDecipheriv(cipher, Buffer.from(key, 'base64url'), bytes.subarray(0, NONCE_BYTES), {
    authTagLength: TAG_BYTES,
  })
  opening.setAuthTag(bytes.subarray(NONCE_BYTES, body))
  const text = Buffer.concat([opening.update(bytes.subarray(body)), opening.final()]).toString()
  return person.parse(JSON.parse(text))
}

/** What an address is found by, and what keeps two customers from having it; upper and lower case make no difference. */
export const emailDigest = (email: string): string => hash('sha256', email.toLowerCase(), 'base64url')
