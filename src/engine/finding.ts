/** What a proof of a service's tables finds: where something is not as it must be. */

export interface Finding {
  /** The rule that does not hold. */
  rule: string
  /** Where: an entity, a product, a position. */
  what: string
  /** How it is, and how it should be. */
  detail: string
}

/** A finding as a query answers it. */
export type Found = Omit<Finding, 'rule'>

/** Findings a rule reports at most. */
export const MOST_FINDINGS = 1_000

/** All that rules find, each under its name. Ask in one snapshot: what is written between the queries would be found as a difference. */
export async function findingsOf(
  rules: readonly (readonly [name: string, found: Promise<Found[]>])[],
): Promise<Finding[]> {
  const found = await Promise.all(rules.map(async ([rule, rows]) => (await rows).map((row) => ({ rule, ...row }))))
  return found.flat()
}
