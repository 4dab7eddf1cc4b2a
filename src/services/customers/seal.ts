/** Sealing of personal fields, each customer's with a key of the customer's own. */
import { hash } from 'node:crypto'
import { sealText, unsealText } from '../../engine/seal.ts'
import { type Person, person } from './events.ts'

export { newKey } from '../../engine/seal.ts'

export const seal = (key: string, fields: Person): string => sealText(key, JSON.stringify(fields))

/** Throws when the key is another one, or the text was changed. */
export const unseal = (key: string, sealed: string): Person => person.parse(JSON.parse(unsealText(key, sealed)))

/** What an address is found by, and what keeps two customers from having it; upper and lower case make no difference. */
export const emailDigest = (email: string): string => hash('sha256', email.toLowerCase(), 'base64url')
