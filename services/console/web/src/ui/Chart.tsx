import type { EChartsOption, EChartsType } from 'echarts'
import { useEffect, useId, useRef, useState, type ReactNode } from 'react'
import { csv, save, type Cell } from '../csv'
import { number, time } from '../format'
import { useI18n } from '../i18n'
import { Failed, Skeleton } from './parts'

/** Colours are the theme's, as plots are drawn with them. */
export interface Colours {
  ink: string
  soft: string
  line: string
  surface: string
  sunken: string
  accent: string
  onAccent: string
  good: string
  warn: string
  bad: string
}

function coloursOf(element: Element): Colours {
  const style = getComputedStyle(element)
  const of = (name: string) => style.getPropertyValue(`--${name}`).trim()
  return {
    ink: of('ink'), soft: of('soft'), line: of('line'), surface: of('surface'), sunken: of('sunken'), accent: of('accent'),
    onAccent: of('on-accent'), good: of('good'), warn: of('warn'), bad: of('bad'),
  }
}

/** useColours follows the theme: plots have colours of their own and do not inherit them. */
function useColours(): Colours {
  const [colours, set] = useState(() => coloursOf(document.documentElement))
  useEffect(() => {
    const observer = new MutationObserver(() => set(coloursOf(document.documentElement)))
    observer.observe(document.documentElement, { attributeFilter: ['data-theme'] })
    return () => observer.disconnect()
  }, [])
  return colours
}

/** Draw makes what ECharts draws; narrow is true where there is little room, as on a telephone. */
export type Draw = (colours: Colours, narrow: boolean) => EChartsOption

/** narrowAt is the width below which a plot has little room, in pixels. */
const narrowAt = 480

function furnished(option: EChartsOption, c: Colours): EChartsOption {
  return {
    animation: false,
    color: [c.accent, c.warn, c.good, c.bad, c.soft],
    textStyle: { fontFamily: getComputedStyle(document.body).fontFamily, color: c.soft },
    ...option,
    tooltip: {
      backgroundColor: c.surface, borderColor: c.line, textStyle: { color: c.ink, fontSize: 12 }, confine: true,
      ...(option.tooltip as object | undefined),
    },
  }
}

/** Chart draws with ECharts, which is loaded when the first plot is. label is what is read aloud in its place. */
export function Chart({ draw, label, height }: { draw: Draw; label: string; height: number }) {
  const colours = useColours()
  const box = useRef<HTMLDivElement>(null)
  const chart = useRef<EChartsType | null>(null)
  const [ready, setReady] = useState(false)
  const [narrow, setNarrow] = useState(false)
  const [error, setError] = useState<unknown>(null)
  useEffect(() => {
    let gone = false
    import('./echarts').then(
      ({ init }) => {
        if (gone || !box.current) return
        chart.current = init(box.current, null, { renderer: 'svg' })
        setReady(true)
      },
      (e: unknown) => setError(e),
    )
    const observer = new ResizeObserver(([entry]) => {
      setNarrow((entry?.contentRect.width ?? narrowAt) < narrowAt)
      chart.current?.resize()
    })
    if (box.current) observer.observe(box.current)
    return () => {
      gone = true
      observer.disconnect()
      chart.current?.dispose()
      chart.current = null
    }
  }, [])
  useEffect(() => {
    if (ready) chart.current?.setOption(furnished(draw(colours, narrow), colours), { notMerge: true })
  }, [ready, draw, colours, narrow])
  if (error) return <Failed error={error} />
  return (
    <div role="img" aria-label={label} className="relative" style={{ height }}>
      {!ready && <Skeleton lines={5} className="absolute inset-4" />}
      <div ref={box} className="h-full w-full" />
    </div>
  )
}

/** Column is one of a plot's table; show writes a number for people, such as money: the file has the number itself. */
export interface Column {
  name: string
  show?: (value: number) => string
}

interface Table {
  columns: Column[]
  rows: Cell[][]
}

/** DataTable is what a plot is drawn from. */
export function DataTable({ label, table }: { label: string; table: Table }) {
  const { language } = useI18n()
  const text = (cell: Cell, column?: Column) =>
    cell === null ? '–' : typeof cell === 'number' ? (column?.show?.(cell) ?? number(language, cell)) : cell
  const numeric = table.columns.map((_, i) => table.rows.some((row) => typeof row[i] === 'number'))
  return (
    <div className="max-h-96 overflow-auto" tabIndex={0} role="region" aria-label={label}>
      <table className="w-full tabular-nums">
        <thead className="sticky top-0 bg-surface text-xs text-soft">
          <tr>
            {table.columns.map((column, i) => (
              <th key={column.name} scope="col" className={`px-4 py-2 font-medium ${numeric[i] ? 'text-right' : 'text-left'}`}>
                {column.name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {table.rows.map((row, r) => (
            <tr key={r} className="border-t border-line">
              {row.map((cell, i) => (
                <td key={i} className={`px-4 py-1.5 ${numeric[i] ? 'text-right whitespace-nowrap' : ''}`}>
                  {text(cell, table.columns[i])}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

interface PlotProps {
  title: string
  /** definition says what is shown and how it is reckoned. */
  definition: string
  /** asOf is the time of the newest event in the numbers, where it is known. */
  asOf?: string | null
  table: Table
  /** file is the name of the table's file, without its ending. */
  file: string
  children: ReactNode
  controls?: ReactNode
}

/** Plot is a picture of numbers with all that belongs to it: definition, freshness, the numbers as a table and as a file. */
export function Plot({ title, definition, asOf, table, file, children, controls }: PlotProps) {
  const { t, language } = useI18n()
  const [shown, show] = useState<'plot' | 'table'>('plot')
  const text = useId()
  const quiet = 'rounded px-2 py-1 text-xs text-soft hover:bg-sunken hover:text-ink'
  return (
    <section className="card flex min-w-0 flex-col" aria-label={title} aria-describedby={text}>
      <header className="flex min-h-11 flex-wrap items-center gap-x-2 gap-y-1 border-b border-line px-4 py-1.5">
        <h2 className="mr-auto font-semibold">{title}</h2>
        {controls}
        <span className="flex gap-2">
          <button type="button" aria-pressed={shown === 'table'} onClick={() => show(shown === 'table' ? 'plot' : 'table')} className={quiet}>
            {t(shown === 'table' ? 'plot.plot' : 'plot.table')}
          </button>
          <button type="button" onClick={() => save(`${file}.csv`, csv(table.columns.map((c) => c.name), table.rows))} className={quiet}>
            {t('plot.csv')}
          </button>
        </span>
      </header>
      <div className="min-w-0 flex-1">{shown === 'table' ? <DataTable label={title} table={table} /> : children}</div>
      <footer id={text} className="border-t border-line px-4 py-2 text-xs text-faint">
        {definition}
        {asOf !== undefined && <> {asOf === null ? t('plot.noFacts') : t('state.asOf', { at: time(language, asOf) })}</>}
      </footer>
    </section>
  )
}

/** NotEnough is an answer, not a failure: there is too little to tell, why, and what helps. */
export function NotEnough({ why, children }: { why: string; children?: ReactNode }) {
  const { t } = useI18n()
  return (
    <div className="flex flex-col items-start gap-2 p-4">
      <p className="font-medium">{t('plot.notEnough')}</p>
      <p className="text-soft">{why}</p>
      {children}
    </div>
  )
}
