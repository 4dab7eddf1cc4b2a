/** JSON values as YAML, block style; text is quoted whenever it could be read as anything else. */

export function toYaml(value: unknown, indent = ''): string {
  if (Array.isArray(value)) {
    if (value.length === 0) return '[]'
    return value.map((item) => `${indent}- ${nested(item, `${indent}  `)}`).join('\n')
  }
  if (typeof value === 'object' && value !== null) {
    const fields = Object.entries(value)
    if (fields.length === 0) return '{}'
    return fields.map(([name, field]) => `${indent}${text(name)}:${below(field, indent)}`).join('\n')
  }
  return typeof value === 'string' ? text(value) : JSON.stringify(value)
}

const isBlock = (value: unknown) => typeof value === 'object' && value !== null && Object.keys(value).length > 0

/** After `- `: the first line goes on there. */
const nested = (value: unknown, indent: string) => toYaml(value, indent).trimStart()

const below = (value: unknown, indent: string) =>
  isBlock(value) ? `\n${toYaml(value, `${indent}  `)}` : ` ${toYaml(value)}`

const text = (value: string) =>
  /^[A-Za-z][\w./ -]*$/.test(value) && !/\s$/.test(value) && !/^(y|n|yes|no|on|off|true|false|null)$/i.test(value)
    ? value
    : JSON.stringify(value)
