/** The rules of customers: what a command makes of them, and whose an e-mail address is. */
import { isDeepStrictEqual } from 'node:util'
import { type Decider, type Decision, type EntityId, Rejected, type Versioned } from '../../engine/decider.ts'
import type { FieldChange } from '../../engine/event.ts'
import { customerEntity, emailEntity } from './customer.ts'
import type { Customer, Person, Preferences } from './events.ts'
import { changesBetween, type NormalPreferences, noPreferences, type topics, withTimes } from './preferences.ts'
import { emailDigest, seal } from './seal.ts'

/** All answer `{ id, version }` and nothing personal: answers are kept for good. */
export type CustomersCommand =
  /** `key` is what the customer's personal fields will be sealed with: `newKey()`. */
  | { type: 'create'; customerId: string; person: Person; preferences: NormalPreferences; key: string }
  | { type: 'update'; customerId: string; fields: Partial<Person> }
  /** Exactly these. */
  | { type: 'prefer'; customerId: string; preferences: NormalPreferences }
  /** No e-mail about this topic any more; what else was chosen stays. */
  | { type: 'decline'; customerId: string; topic: (typeof topics)[number] }
  /** For good: the id stays taken. Done twice it changes nothing. */
  | { type: 'erase'; customerId: string }

export type CustomersFact =
  | { type: 'customer.created'; entity: EntityId; customer: Active }
  | { type: 'customer.updated'; entity: EntityId; person: Person; fields: string[]; at: string }
  | {
      type: 'customer.preferences.updated'
      entity: EntityId
      preferences: Preferences
      changes: FieldChange[]
      at: string
    }
  | { type: 'customer.erased'; entity: EntityId; at: string }
  /** No events: an address's owner. */
  | { type: 'email.claimed'; entity: EntityId; customerId: string }
  | { type: 'email.freed'; entity: EntityId }

type Common = Omit<Customer, 'status' | 'sealed'>
/** Somebody, with the key that opens what is sealed. */
export type Active = Common & { person: Person; key: string }
/** What is left of somebody. */
export type Erased = Common & { person: null; key: null }
export type CustomerState = Active | Erased
export interface EmailState {
  customerId: string
}
export type CustomersState = CustomerState | EmailState

type States = ReadonlyMap<EntityId, Versioned<CustomersState>>

export const customersDecider: Decider<CustomersState, CustomersCommand, CustomersFact> = {
  // An address given up needs no lock of its own: a row that says "this customer's" is changed under this customer's lock alone.
  touches(command) {
    const entity = customerEntity(command.customerId)
    if (command.type === 'create') return [entity, emailEntity(command.person.email)]
    if (command.type === 'update' && command.fields.email !== undefined)
      return [entity, emailEntity(command.fields.email)]
    return [entity]
  },

  creates: (command) =>
    command.type === 'create' ? [customerEntity(command.customerId), emailEntity(command.person.email)] : [],

  decide(states, command, now): Decision<CustomersFact> {
    const at = now.toISOString()
    switch (command.type) {
      case 'create':
        return create(states, command, at)
      case 'update':
        return update(states, active(states, command.customerId), command.fields, at)
      case 'prefer': {
        const { id, preferences: before } = active(states, command.customerId)
        return prefer(states, id, before, withTimes(command.preferences, before, at), at)
      }
      case 'decline': {
        const { id, preferences: before } = active(states, command.customerId)
        const left = (before.channels[command.topic] ?? []).filter((channel) => channel !== 'email')
        return prefer(states, id, before, { ...before, channels: { ...before.channels, [command.topic]: left } }, at)
      }
      case 'erase': {
        const { id, person } = existing(states, command.customerId)
        if (person === null) return done(states, id, [])
        const erased: CustomersFact = { type: 'customer.erased', entity: customerEntity(id), at }
        return done(states, id, [erased, freed(person.email)])
      }
    }
  },

  evolve(state, fact): CustomersState | undefined {
    switch (fact.type) {
      case 'customer.created':
        return fact.customer
      case 'customer.updated':
        return { ...(state as Active), person: fact.person, updatedAt: fact.at }
      case 'customer.preferences.updated':
        return { ...(state as Active), preferences: fact.preferences, updatedAt: fact.at }
      case 'customer.erased':
        return {
          ...(state as Active),
          person: null,
          key: null,
          preferences: noPreferences,
          updatedAt: fact.at,
          erasedAt: fact.at,
        }
      case 'email.claimed':
        return { customerId: fact.customerId }
      case 'email.freed':
        return undefined
    }
  },

  tell(fact, state) {
    if (fact.type === 'email.claimed' || fact.type === 'email.freed') return undefined
    const customer = told(state as CustomerState)
    const key = customerEntity(customer.id)
    if (fact.type === 'customer.updated') return { key, data: { customer, fields: fact.fields } }
    if (fact.type === 'customer.preferences.updated') return { key, data: { customer, changes: fact.changes } }
    return { key, data: { customer } }
  },
}

function prefer(states: States, id: string, before: Preferences, preferences: Preferences, at: string) {
  const entity = customerEntity(id)
  const changes = changesBetween(before, preferences)
  const updated: CustomersFact = { type: 'customer.preferences.updated', entity, preferences, changes, at }
  return done(states, id, changes.length === 0 ? [] : [updated])
}

/** As events carry it and the table keeps it: what is personal is sealed. */
export function told({ person, key, ...common }: CustomerState): Customer {
  if (person === null) return { ...common, status: 'erased', sealed: null }
  return { ...common, status: 'active', sealed: seal(key, person) }
}

function existing(states: States, customerId: string): CustomerState {
  const state = states.get(customerEntity(customerId))?.state as CustomerState | undefined
  if (state) return state
  const message = `there is no customer ${JSON.stringify(customerId)}`
  throw new Rejected('not-found', { what: 'customer', id: customerId }, message)
}

function active(states: States, customerId: string): Active {
  const state = existing(states, customerId)
  if (state.person !== null) return state
  throw erasedAlready(customerId)
}

const erasedAlready = (id: string) =>
  new Rejected('customer-erased', { id }, `the customer ${JSON.stringify(id)} was erased`)

function done(states: States, id: string, facts: CustomersFact[]) {
  const version = (states.get(customerEntity(id))?.version ?? 0) + Math.min(facts.length, 1)
  return { facts, answer: { id, version } }
}

type Create = Extract<CustomersCommand, { type: 'create' }>

function create(states: States, { customerId: id, person, preferences: given, key }: Create, at: string) {
  const known = states.get(customerEntity(id))?.state as CustomerState | undefined
  if (known?.person === null) throw erasedAlready(id)
  if (known) {
    const message = `there is a customer ${JSON.stringify(id)}`
    throw new Rejected('already-exists', { what: 'customer', id }, message)
  }
  const preferences = withTimes(given, noPreferences, at)
  const customer: Active = { id, person, key, preferences, createdAt: at, updatedAt: at, erasedAt: null }
  return done(states, id, [
    { type: 'customer.created', entity: customerEntity(id), customer },
    claimed(states, person.email, id),
  ])
}

const personal = ['name', 'email', 'phone', 'addresses'] as const

function update(states: States, before: Active, given: Partial<Person>, at: string) {
  const { id } = before
  const person = { ...before.person, ...given }
  const fields = personal.filter((field) => !isDeepStrictEqual(before.person[field], person[field]))
  if (fields.length === 0) return done(states, id, [])
  const moved = emailDigest(person.email) !== emailDigest(before.person.email)
  return done(states, id, [
    { type: 'customer.updated', entity: customerEntity(id), person, fields, at },
    ...(moved ? [freed(before.person.email), claimed(states, person.email, id)] : []),
  ])
}

const freed = (email: string): CustomersFact => ({ type: 'email.freed', entity: emailEntity(email) })

/** Throws `email-taken` for another customer's; the refusal does not repeat the address. */
function claimed(states: States, email: string, customerId: string): CustomersFact {
  const entity = emailEntity(email)
  const owner = states.get(entity)?.state as EmailState | undefined
  if (!owner) return { type: 'email.claimed', entity, customerId }
  const message = `the e-mail address belongs to customer ${JSON.stringify(owner.customerId)}`
  throw new Rejected('email-taken', { customerId: owner.customerId }, message)
}
