/**
 * Several sources behind one executor: a command for some of them is accepted or refused as a whole and commits in one transaction, in as many
 * round trips as any other. Each source's own commands run here too, so that what shares rows shares batches.
 */
import { isDeepStrictEqual } from 'node:util'
import type { CommandOptions, Executed } from './batch.ts'
import type { Changed, Decision, EntityId, Fact, Source, Store, Versioned } from './decider.ts'
import type { Data } from './event.ts'
import type { Executor } from './executor.ts'

// biome-ignore lint/suspicious/noExplicitAny: sources of different states, commands and facts stand in one list
export type AnySource = Source<any, any, any>

/** One source's part in a joint command. */
export interface Deed {
  source: AnySource
  /** Names every entity it touches. */
  command: unknown
  /** Makes the command whole from what the deeds before it answered; it must not touch more. */
  complete?(answers: Data[]): unknown
}

export interface JointCommand extends Deed {
  /** Whose keys its key is one of. */
  scope: string
  /** What tells it from another under the same key. */
  said: unknown
  more?: Deed[]
  /** The answer out of the deeds' answers; the last one's when absent. */
  answer?(answers: Data[]): Data
}

export interface Together extends Pick<JointCommand, 'scope' | 'said' | 'answer'> {
  /** Decided in this order, each on what the ones before made of its source. */
  deeds: [Deed, ...Deed[]]
}

export interface Joint {
  /** A source's own commands; their idempotency keys are the source's, as without others beside it. */
  of<Command>(source: Pick<Source<never, Command, never>, 'name'>): Executor<Command>['execute']
  /** Carries out all of it or nothing. */
  together(command: Together, options?: CommandOptions): Promise<Executed>
}

/** Sources that own different kinds of entities, behind one of the engine's executors, whose name is theirs together. */
export function joint(
  engine: { executor<S, C, F extends Fact>(source: Source<S, C, F>): Executor<C> },
  name: string,
  sources: readonly AnySource[],
): Joint {
  const { execute } = engine.executor(jointSource(name, sources))
  return {
    of<Command>({ name }: Pick<Source<never, Command, never>, 'name'>) {
      const source = sources.find((one) => one.name === name)
      if (!source) throw new Error(`${name} is none of ${sources.map((one) => one.name).join(', ')}`)
      return (command: Command, options?: CommandOptions) =>
        execute({ source, command, scope: name, said: command }, options)
    },
    together({ deeds: [first, ...more], scope, said, answer }, options) {
      return execute({ ...first, scope, said, ...(more.length > 0 && { more }), ...(answer && { answer }) }, options)
    },
  }
}

export function jointSource(name: string, sources: readonly AnySource[]): Source<unknown, JointCommand, Fact> {
  const ownerOf = ownership(sources)
  return {
    name,
    identity: (command) => command,
    ownerOf: (entity) => ownerOf(entity).name,
    decider: {
      touches: ({ source, command, more }) => {
        const touched = source.decider.touches(command)
        return more ? [...touched, ...more.flatMap((deed) => deed.source.decider.touches(deed.command))] : touched
      },
      creates: ({ source, command, more }) => {
        const created = source.decider.creates?.(command) ?? []
        return more
          ? [...created, ...more.flatMap((deed) => deed.source.decider.creates?.(deed.command) ?? [])]
          : created
      },
      refersTo: (entity, state) => ownerOf(entity).decider.refersTo?.(entity, state),
      decide: (states, command, now) =>
        command.more ? decideAll(states, command, now) : command.source.decider.decide(states, command.command, now),
      evolve: (state, fact) => ownerOf(fact.entity).decider.evolve(state, fact),
      tell: (fact, state) => ownerOf(fact.entity).decider.tell(fact, state),
    },
    store: jointStore(sources, ownerOf),
  }
}

type States = ReadonlyMap<EntityId, Versioned<unknown>>

function decideAll(states: States, command: JointCommand, now: Date): Decision<Fact> {
  const deeds: Deed[] = [command, ...(command.more ?? [])]
  const facts: Fact[] = []
  const answers: Data[] = []
  let seen = states
  for (const [n, deed] of deeds.entries()) {
    const { decider } = deed.source
    const decision: Decision<Fact> = decider.decide(seen, deed.complete?.(answers) ?? deed.command, now)
    if ('rejected' in decision) {
      // What a refusal states is true of what was there, not of what the deeds before would have made of it.
      const alone = !deeds.slice(0, n).some((before) => before.source === deed.source)
      return { rejected: decision.rejected, facts: alone ? (decision.facts ?? []) : [] }
    }
    facts.push(...decision.facts)
    answers.push(decision.answer ?? {})
    if (deeds.slice(n + 1).some((later) => later.source === deed.source)) seen = after(seen, deed, decision.facts)
  }
  return { facts, answer: command.answer ? command.answer(answers) : (answers.at(-1) ?? {}) }
}

/** The states with some facts folded in, without a copy of all. */
class Folded extends Map<EntityId, Versioned<unknown>> {
  readonly #beneath: States

  constructor(beneath: States) {
    super()
    this.#beneath = beneath
  }

  override get(entity: EntityId) {
    return super.get(entity) ?? this.#beneath.get(entity)
  }

  override has(entity: EntityId) {
    return super.has(entity) || this.#beneath.has(entity)
  }
}

function after(states: States, { source: { decider } }: Deed, facts: Fact[]): States {
  const folded = new Folded(states)
  for (const fact of facts) {
    const before = folded.get(fact.entity)
    const state = decider.evolve(before?.state, fact)
    const told = decider.tell(fact, state) !== undefined
    folded.set(fact.entity, { version: (before?.version ?? 0) + (told ? 1 : 0), state })
  }
  return folded
}

/** An entity's owner by what stands before its slash. The few kinds are tried in turn: a look-up would have to cut and hash the name first. */
function ownership(sources: readonly AnySource[]): (entity: EntityId) => AnySource {
  const kinds: { prefix: string; owner: AnySource }[] = []
  for (const owner of sources) {
    if (!owner.entities) throw new Error(`${owner.name} does not say what it owns`)
    for (const kind of owner.entities) {
      const prefix = `${kind}/`
      const other = kinds.find((one) => one.prefix === prefix)?.owner
      if (other) throw new Error(`${owner.name} and ${other.name} both own ${kind}`)
      kinds.push({ prefix, owner })
    }
  }
  return (entity) => {
    for (const { prefix, owner } of kinds) if (entity.startsWith(prefix)) return owner
    throw new Error(`nobody owns ${entity}`)
  }
}

/** Each store gets what is its own; one that has nothing in a batch is not asked. Statements of all are issued before any is awaited. */
function jointStore(sources: readonly AnySource[], ownerOf: (entity: EntityId) => AnySource): Store<unknown, Fact> {
  return {
    async load(tx, ids, options) {
      const parts = [...Map.groupBy(ids, ownerOf)]
      const loading = sources.flatMap((source) => {
        const own = parts.find(([owner]) => owner === source)?.[1]
        return own ? [source.store.load(tx, own, options)] : []
      })
      const [first, ...others] = await Promise.all(loading)
      if (!first) return { states: new Map(), blocked: [] }
      for (const { states, blocked } of others) {
        for (const [entity, state] of states) first.states.set(entity, state)
        first.blocked.push(...blocked)
      }
      return first
    },

    same(assumed, loaded, entity) {
      const { store } = ownerOf(entity)
      return store.same ? store.same(assumed, loaded, entity) : isDeepStrictEqual(assumed, loaded)
    },

    save(tx, changed) {
      const [first] = changed.facts
      const only = first && ownerOf(first.fact.entity)
      if (!only || changed.facts.every(({ fact }) => ownerOf(fact.entity) === only))
        return only ? only.store.save(tx, changed) : Promise.resolve()
      const parts = new Map<AnySource, Changed<unknown, Fact>>()
      const partOf = (entity: EntityId) => {
        const owner = ownerOf(entity)
        let part = parts.get(owner)
        if (!part) parts.set(owner, (part = { states: new Map(), facts: [] }))
        return part
      }
      for (const [entity, state] of changed.states) partOf(entity).states.set(entity, state)
      for (const entry of changed.facts) partOf(entry.fact.entity).facts.push(entry)
      return Promise.all([...parts].map(([source, part]) => source.store.save(tx, part)))
    },
  }
}
