import { pyramid, spread } from '../../numbers'

interface Grade {
  name: string
  /** size is by how many customers stand in it; text says so, and what they bring. */
  size: number
  text: string
}

const width = 320 // units of the drawing
const height = 260
const gap = 38 // between labels

const shades = ['fill-accent', 'fill-accent/70', 'fill-accent/45', 'fill-accent/25', 'fill-accent/15']

/** Pyramid draws grades as layers of a triangle: the area of each is its share of the customers. */
export function Pyramid({ grades, label }: { grades: Grade[]; label: string }) {
  const layers = pyramid(grades.map((g) => g.size))
  const middles = spread(layers.map((l) => ((l.from + l.to) / 2) * height), gap, height - 14)
  const edge = (depth: number, side: -1 | 1) => width / 2 + (side * depth * width) / 2
  return (
    <div role="img" aria-label={`${label}: ${grades.map((g) => `${g.name}, ${g.text}`).join('; ')}`} className="p-4">
      <svg viewBox={`0 0 ${width + 260} ${height + 8}`} className="h-auto w-full max-w-3xl" aria-hidden>
        {layers.map((l, i) => {
          const points = [[edge(l.from, -1), l.from], [edge(l.from, 1), l.from], [edge(l.to, 1), l.to], [edge(l.to, -1), l.to]]
          const at = ((l.from + l.to) / 2) * height
          return (
            <g key={grades[i]!.name}>
              <polygon points={points.map(([x, y]) => `${x},${y! * height + 4}`).join(' ')} className={`${shades[Math.min(i, shades.length - 1)]} stroke-surface`} strokeWidth="1.5" />
              <polyline points={`${edge((l.from + l.to) / 2, 1)},${at + 4} ${width + 8},${middles[i]!} ${width + 14},${middles[i]!}`} className="fill-none stroke-strong-line" />
              <text x={width + 20} y={middles[i]! - 2} className="fill-ink text-[13px] font-medium">
                {grades[i]!.name}
              </text>
              <text x={width + 20} y={middles[i]! + 13} className="fill-soft text-[11px]">
                {grades[i]!.text}
              </text>
            </g>
          )
        })}
      </svg>
    </div>
  )
}
