/**
 * Sentences for a decider's tests: `given(…facts).when(command).then(…facts)`. The same fold as the executor's, without a database;
 * an assertion that fails shows both sides.
 */
import assert from 'node:assert/strict'
import { type Decider, type EntityId, type Fact, Rejected, type Versioned } from './decider.ts'
import type { Data } from './event.ts'

export interface Outcome<State, Command, F extends Fact> {
  /** Exactly these facts, in order, and no rejection; none: the command changed nothing. */
  then(...facts: F[]): Outcome<State, Command, F>
  /** Refused with this code; of the detail, what is given here must be in it. Facts stated all the same go to `stated`. */
  rejected(code: string, detail?: Data): Outcome<State, Command, F>
  /** The facts stated although the command failed. */
  stated(...facts: F[]): Outcome<State, Command, F>
  answers(answer: Data | undefined): Outcome<State, Command, F>
  /** The state afterwards, and its version if given. */
  leaves(entity: EntityId, state: State | undefined, version?: number): Outcome<State, Command, F>
  /** The next command, on what this one left behind. */
  when(command: Command, now?: Date): Outcome<State, Command, F>
  /** For assertions of one's own. */
  readonly facts: F[]
  readonly states: ReadonlyMap<EntityId, Versioned<State>>
  /** What would be appended, in order. */
  readonly events: { type: string; entity: EntityId; version: number; key: string; data: Data }[]
}

/** Binds the sentences to one decider; `now` is its clock unless `when` says otherwise. */
export function specification<State, Command, F extends Fact>(
  decider: Decider<State, Command, F>,
  now = new Date('2026-01-01T00:00:00Z'),
) {
  type States = ReadonlyMap<EntityId, Versioned<State>>

  const fold = (before: States, facts: F[]) => {
    const states = new Map(before)
    const events: Outcome<State, Command, F>['events'] = []
    for (const fact of facts) {
      const { version, state } = states.get(fact.entity) ?? { version: 0, state: undefined }
      const next = decider.evolve(state, fact)
      const told = decider.tell(fact, next)
      states.set(fact.entity, { version: told ? version + 1 : version, state: next })
      if (told) events.push({ type: fact.type, entity: fact.entity, version: version + 1, ...told })
    }
    return { states, events }
  }

  const when = (before: States, command: Command, at: Date): Outcome<State, Command, F> => {
    let refusal: Rejected | undefined
    let facts: F[] = []
    let answer: Data | undefined
    try {
      const decision = decider.decide(before, command, at)
      if ('rejected' in decision) refusal = decision.rejected
      else answer = decision.answer
      facts = decision.facts ?? []
    } catch (error) {
      if (!(error instanceof Rejected)) throw error
      refusal = error
    }
    const after = fold(before, facts)
    const outcome: Outcome<State, Command, F> = {
      facts,
      ...after,
      // biome-ignore lint/suspicious/noThenProperty: given/when/then is the idiom, and nobody awaits an outcome
      then(...expected) {
        if (refusal) assert.fail(`rejected: ${refusal.code} ${JSON.stringify(refusal.detail)}`)
        assert.deepEqual(facts, expected)
        return outcome
      },
      rejected(code, detail = {}) {
        assert.equal(refusal?.code, code, refusal ? undefined : `not rejected: ${JSON.stringify(facts)}`)
        assert.partialDeepStrictEqual(refusal?.detail, detail)
        return outcome
      },
      stated(...expected) {
        assert.ok(refusal, 'not rejected')
        assert.deepEqual(facts, expected)
        return outcome
      },
      answers(expected) {
        assert.deepEqual(answer, expected)
        return outcome
      },
      leaves(entity, state, version) {
        assert.deepEqual(after.states.get(entity)?.state, state)
        if (version !== undefined) assert.equal(after.states.get(entity)?.version ?? 0, version)
        return outcome
      },
      when: (next, later = at) => when(after.states, next, later),
    }
    return outcome
  }

  return {
    given(...facts: F[]) {
      const { states } = fold(new Map(), facts)
      return { when: (command: Command, at = now) => when(states, command, at) }
    },
  }
}
