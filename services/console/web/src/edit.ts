/** What can be edited of a customer, as text. Tags are separated by commas. */
export const fields = ['display_name', 'given_name', 'family_name', 'legal_name', 'owner', 'tags'] as const
export type Field = (typeof fields)[number]
export type Draft = Record<Field, string>

type Source = { [K in Exclude<Field, 'tags'>]?: string } & { tags: string[] }

/** draftOf gives the fields of a customer as a form shows them. */
export function draftOf(customer: Source): Draft {
  return {
    display_name: customer.display_name ?? '',
    given_name: customer.given_name ?? '',
    family_name: customer.family_name ?? '',
    legal_name: customer.legal_name ?? '',
    owner: customer.owner ?? '',
    tags: customer.tags.join(', '),
  }
}

export function tagsOf(text: string): string[] {
  return [...new Set(text.split(/[,，]/).map((tag) => tag.trim()).filter(Boolean))]
}

/** changed gives the fields in which mine is another than what it was made from. */
export function changed(base: Draft, mine: Draft): Field[] {
  return fields.filter((field) => base[field].trim() !== mine[field].trim())
}

/** conflicts gives the fields that both have changed since base, to different values: somebody has to choose. */
export function conflicts(base: Draft, mine: Draft, theirs: Draft): Field[] {
  const others = changed(base, theirs)
  return changed(base, mine).filter((field) => others.includes(field) && mine[field].trim() !== theirs[field].trim())
}

/** merged is theirs with what I changed on top of it. */
export function merged(base: Draft, mine: Draft, theirs: Draft): Draft {
  const out = { ...theirs }
  for (const field of changed(base, mine)) out[field] = mine[field]
  return out
}

/** patchOf gives the fields to send, and none that were left as they are. */
export function patchOf(base: Draft, mine: Draft): Partial<Record<Exclude<Field, 'tags'>, string>> & { tags?: string[] } {
  const patch: ReturnType<typeof patchOf> = {}
  for (const field of changed(base, mine)) {
    if (field === 'tags') patch.tags = tagsOf(mine.tags)
    else patch[field] = mine[field].trim()
  }
  return patch
}
