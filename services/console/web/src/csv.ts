/** Cell is what a table shows: null where there is no value. */
export type Cell = string | number | null

/** A spreadsheet takes text that begins like this for a formula and runs it. */
const formula = /^[=+\-@\t\r]/

function quoted(cell: Cell): string {
  if (cell === null) return ''
  if (typeof cell === 'number') return String(cell)
  const safe = formula.test(cell) ? `'${cell}` : cell
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}

/** csv writes a table after RFC 4180: numbers with a point, whatever the language; text never as a formula. */
export function csv(columns: readonly string[], rows: readonly (readonly Cell[])[]): string {
  return [columns, ...rows].map((row) => row.map(quoted).join(',') + '\r\n').join('')
}

/** save hands a file to whoever asked for it. */
export function save(name: string, text: string) {
  // The mark at the beginning tells spreadsheets that it is UTF-8.
  const url = URL.createObjectURL(new Blob(['\uFEFF', text], { type: 'text/csv;charset=utf-8' }))
  const link = document.createElement('a')
  link.href = url
  link.download = name
  link.click()
  URL.revokeObjectURL(url)
}
