interface Sum {
  currency: string
  amount_minor: number
  weighted_minor: number
  count: number
}
interface Card {
  opportunity_id: string
  amount_minor: number
  currency: string
}
interface Stage<C extends Card> {
  code: string
  count: number
  probability: number
  cards: C[]
  sums: Sum[]
}

/**
 * moved gives the board as it looks when a deal has gone to another stage, until the server's own board comes. Weighted sums are
 * reckoned with the probability of the stage, in percent.
 */
export function moved<C extends Card, S extends Stage<C>>(stages: S[], opportunity: string, to: string): S[] {
  const from = stages.find((stage) => stage.cards.some((card) => card.opportunity_id === opportunity))
  const card = from?.cards.find((one) => one.opportunity_id === opportunity)
  if (!from || !card || from.code === to || !stages.some((stage) => stage.code === to)) return stages
  return stages.map((stage) => {
    if (stage.code === from.code)
      return { ...stage, count: stage.count - 1, cards: stage.cards.filter((one) => one !== card), sums: added(stage, card, -1) }
    if (stage.code === to) return { ...stage, count: stage.count + 1, cards: [card, ...stage.cards], sums: added(stage, card, 1) }
    return stage
  })
}

function added(stage: Stage<Card>, card: Card, sign: 1 | -1): Sum[] {
  const known = stage.sums.some((sum) => sum.currency === card.currency)
  const sums = known ? stage.sums : [...stage.sums, { currency: card.currency, amount_minor: 0, weighted_minor: 0, count: 0 }]
  return sums
    .map((sum) =>
      sum.currency === card.currency
        ? {
            ...sum,
            count: sum.count + sign,
            amount_minor: sum.amount_minor + sign * card.amount_minor,
            weighted_minor: sum.weighted_minor + sign * Math.round((card.amount_minor * stage.probability) / 100),
          }
        : sum,
    )
    .filter((sum) => sum.count > 0)
}
