/**
 * Sealing of text: AES-256-GCM with a key of its own. Whoever deletes the key has erased what was sealed, wherever copies are. Pure: the nonce is made
 * of what is sealed, so the same text under the same key is sealed the same, and a nonce never serves two texts.
 */
import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto'

const cipher = 'aes-256-gcm'
const NONCE_BYTES = 12
const TAG_BYTES = 16

/** A new key, base64url. */
export const newKey = (): string => randomBytes(32).toString('base64url')

export function sealText(key: string, text: string): string {
  const secret = Buffer.from(key, 'base64url')
  const nonce = createHmac('sha256', secret).update('nonce').update(text).digest().subarray(0, NONCE_BYTES)
  const sealing = createCipheriv(cipher, secret, nonce)
  const sealed = [sealing.update(text, 'utf8'), sealing.final()]
  return Buffer.concat([nonce, sealing.getAuthTag(), ...sealed]).toString('base64url')
}

/** Throws when the key is another one, or the text was changed. */
export function unsealText(key: string, sealed: string): string {
  const bytes = Buffer.from(sealed, 'base64url')
  const body = NONCE_BYTES + TAG_BYTES
  const opening = createDecipheriv(cipher, Buffer.from(key, 'base64url'), bytes.subarray(0, NONCE_BYTES), {
    authTagLength: TAG_BYTES,
  })
  opening.setAuthTag(bytes.subarray(NONCE_BYTES, body))
  return Buffer.concat([opening.update(bytes.subarray(body)), opening.final()]).toString()
}
