/**
 * Asks for many at once: one question is under way, and what is asked meanwhile is the next. For what every command has to know: a question for each would
 * cost as much as the command itself. The answer may say of more than was asked.
 */
export function inTurns<Answer>(ask: (names: string[]) => Promise<Answer>): (names: string[]) => Promise<Answer> {
  let next: { names: Set<string>; answer: Promise<Answer> } | undefined
  let last: Promise<unknown> = Promise.resolve()
  return (names) => {
    if (!next) {
      const wanted = new Set<string>()
      const answer = last
        .catch(() => {})
        .then(() => {
          next = undefined
          return ask([...wanted])
        })
      last = answer
      next = { names: wanted, answer }
    }
    for (const name of names) next.names.add(name)
    return next.answer
  }
}
