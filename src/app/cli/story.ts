/** Events as lines for people: when, what, whose, by whom, and what changed. */
import type { LoggedEvent } from '../../engine/event.ts'
import { paint } from '../colours.ts'
import { cut, grouped, oneLine } from './output.ts'

export function eventLine(event: LoggedEvent): string {
  const by = event.meta.actor ? paint.dim(`  by ${oneLine(event.meta.actor)}`) : ''
  const at = event.at.toISOString()
  return (
    `${paint.dim(`#${grouped(event.position)}`.padStart(9))}  ${paint.dim(at.slice(0, 10))} ${at.slice(11, 23)}  ` +
    `${colourOf(event.type)(event.type.padEnd(16))}  ${oneLine(event.entity)}@${event.version}${by}`
  )
}

/** What happened, in a few words a line; nothing for an event that says it all by its type. */
export function eventDetails({ data }: LoggedEvent): string[] {
  const lines = (data.changes ?? []).map(
    (change: { field: string; oldValue: unknown; newValue: unknown }) =>
      `${change.field}: ${paint.dim(short(change.oldValue))} → ${short(change.newValue)}`,
  )
  const about = [
    data.quantity !== undefined && `${data.quantity} pieces`,
    data.requested !== undefined && `${data.requested} asked for, ${data.available} there`,
    data.threshold !== undefined && `${data.stock?.available} left, threshold ${data.threshold}`,
    data.warehouseId && `in ${data.warehouseId}`,
    data.trigger && String(data.trigger).toLowerCase().replaceAll('_', ' '),
    data.reference && `${String(data.referenceType ?? 'reference').toLowerCase()} ${data.reference}`,
    data.reason && data.requested === undefined && `because ${data.reason}`,
  ].filter(Boolean)
  return about.length > 0 ? [...lines, paint.dim(oneLine(about.join(', ')))] : lines
}

/** On one line, for a list. */
export const eventSummary = (event: LoggedEvent): string =>
  event.data.changes?.length
    ? event.data.changes
        .map(
          ({ field, oldValue, newValue }: { field: string; oldValue: unknown; newValue: unknown }) =>
            `${field} ${short(oldValue)} → ${short(newValue)}`,
        )
        .join(', ')
    : eventDetails(event).join(', ')

const short = (value: unknown) => cut(oneLine(typeof value === 'string' ? value : (JSON.stringify(value) ?? '–')), 60)

function colourOf(type: string): (text: string) => string {
  if (/deleted|failed|\.out$/.test(type)) return paint.red
  if (/\.low$/.test(type)) return paint.yellow
  if (/created|\.back$/.test(type)) return paint.green
  return paint.cyan
}
