/** Statements that are issued while the same connection is waited for travel over it together: one packet, one wake-up and one sync for all of them. */
import type { Database, Session, Sql } from '../../engine/database.ts'

interface Shared {
  session: Promise<Session>
  users: number
  error: unknown
}

/** For reading alone: of statements that travel together none is answered if one fails. */
export function sharingSessions(db: Database): Sql {
  let waited: Shared | undefined
  const over = async <Rows>(issue: (session: Session) => Promise<Rows>): Promise<Rows> => {
    const shared = (waited ??= { session: db.reserve(), users: 0, error: undefined })
    shared.users++
    const session = await shared.session.finally(() => {
      if (waited === shared) waited = undefined
    })
    try {
      return await issue(session)
    } catch (error) {
      shared.error = error
      throw error
    } finally {
      if (--shared.users === 0) session.release(shared.error)
    }
  }
  const sql = (strings: TemplateStringsArray, ...values: unknown[]) => over((session) => session(strings, ...values))
  return Object.assign(sql, {
    text: (...given: Parameters<Sql['text']>) => over((session) => session.text(...given)),
  }) as Sql
}
