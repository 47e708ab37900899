interface Question {
  code: string
  kind: string
}

/** most is how many attributes drivers are looked for among. */
const most = 10

/**
 * questions says what a survey can be asked: drivers explain its score by its scales, or by all scales but the first where it has no
 * score; kano says whether it has pairs for Kano's categories.
 */
export function questions(of: readonly Question[]): { outcome: string; drivers: string[]; kano: boolean } {
  const scales = of.filter((q) => q.kind === 'scale').map((q) => q.code)
  const score = of.find((q) => q.kind === 'score')?.code
  const outcome = score ?? scales[0] ?? ''
  return {
    outcome,
    drivers: outcome ? scales.filter((code) => code !== outcome).slice(0, most) : [],
    kano: of.some((q) => q.kind === 'kano'),
  }
}
