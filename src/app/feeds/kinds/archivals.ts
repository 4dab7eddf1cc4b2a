/** Products that a catalogue feed no longer speaks of are archived: those of its vendor, or of its last run. */
import type { Absence } from './kind.ts'

export const archivals: Absence = {
  async count(db, { vendor }, baselineRun) {
    const [row] = await db<{ count: number }>`
      select count(*) as count
      from   catalog.products p
      where  not p.deleted and p.status <> 'archived'
        and  (p.vendor_id = ${vendor}
              or ${vendor}::text is null and exists (select from feeds.keys k where k.run_id = ${baselineRun} and k.key = p.id))`
    return row?.count ?? 0
  },

  async stage(db, { vendor }, { id, baselineRun, after }) {
    const { count } = await db`
      insert into feeds.changes (run_id, n, key, outcome, says, changes)
      select ${id}, ${after} + row_number() over (order by p.id), p.id, 'removed', '{}',
             json_build_array(json_build_object('field', 'status', 'oldValue', p.status, 'newValue', 'archived'))
      from   catalog.products p
      where  not p.deleted and p.status <> 'archived'
        and  (p.vendor_id = ${vendor}
              or ${vendor}::text is null and exists (select from feeds.keys k where k.run_id = ${baselineRun} and k.key = p.id))
        and  not exists (select from feeds.keys k where k.run_id = ${id} and k.key = p.id)`
    return count
  },
}
