/** What `--json fields` and `--jq path` take out of data, as gh does. */
import { exits, Failure } from './failure.ts'

export interface Selection {
  fields: readonly string[] | undefined
  path: readonly Step[] | undefined
}

/** A field by name, an element by number, or every element. */
type Step = { field: string } | { index: number } | 'each'

/** Throws a Failure for what is neither. */
export function selection(options: { json?: string | undefined; jq?: string | undefined }): Selection {
  const fields = options.json?.split(',').map((field) => field.trim())
  if (fields?.some((field) => field === ''))
    throw new Failure(
      exits.usage,
      '--json wants names of fields, separated by commas',
      'lockstep events ls --json position,type',
    )
  return { fields, path: options.jq === undefined ? undefined : stepsOf(options.jq) }
}

/** `.items[0].name`, `.[]`, `."a b"`: a path, no program. */
function stepsOf(path: string): Step[] {
  const steps: Step[] = []
  const step = /\.?\[(?:(\d+)|"([^"]*)")?\]|\.([\p{L}_][\p{L}\p{N}_-]*)|\."([^"]*)"/uy
  while (step.lastIndex < path.length && path !== '.') {
    const at = step.lastIndex
    const [whole, index, quoted, field, text] = step.exec(path) ?? []
    if (whole === undefined)
      throw new Failure(
        exits.usage,
        `--jq takes a path such as .[].name; this is none from ${JSON.stringify(path.slice(at))} on`,
        'pipe into jq for more: lockstep … -o json | jq …',
      )
    const name = field ?? text ?? quoted
    steps.push(name !== undefined ? { field: name } : index !== undefined ? { index: Number(index) } : 'each')
  }
  return steps
}

/** One row with only the fields chosen; `data.product.title` reaches in, and what a row has not is null. */
export function chosen(row: unknown, { fields }: Selection): unknown {
  if (!fields) return row
  return Object.fromEntries(
    fields.map((field) => {
      const names = inside(row, field) === undefined ? field.split('.') : [field]
      return [field, names.reduce<unknown>((value, name) => inside(value, name), row) ?? null]
    }),
  )
}

/** Throws a Failure that names the fields there are when none of the rows has one that was asked for. */
export function mustHave(rows: readonly object[], { fields }: Selection): void {
  if (!fields || rows.length === 0) return
  const known = new Set(rows.flatMap((row) => Object.keys(row)))
  const strange = fields.find((field) => !known.has(field) && !known.has(field.split('.', 1)[0] ?? ''))
  if (strange === undefined) return
  throw new Failure(exits.usage, `there is no field ${strange}`, `there are ${[...known].join(', ')}`)
}

/** What a path leads to, each on a line of its own: text as it is, everything else as JSON. */
export function walked(value: unknown, path: readonly Step[]): string[] {
  const found = path.reduce<unknown[]>(
    (values, step) =>
      values.flatMap((each) => {
        if (step === 'each') return Array.isArray(each) ? each : Object.values((each as object | null) ?? {})
        return ['index' in step ? (Array.isArray(each) ? each[step.index] : undefined) : inside(each, step.field)]
      }),
    [value],
  )
  return found.map((each) => (typeof each === 'string' ? each : JSON.stringify(each ?? null)))
}

const inside = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? (value as Record<string, unknown>)[name]
    : undefined
