/**
 * The other side of a saga or TCC: somebody who can do a thing and undo it, while messages come late,
 * twice and in the wrong order. A note per key decides: applied once, undone once, and what is undone
 * before it ever came leaves a tombstone, at which the late original fails.
 */
import { OutcomeUnknownError } from '../errors.ts'
import type { SqlDatabase } from '../ports/sql-database.ts'
import type { SqlOutcome, SqlStatement } from '../runtime/sql.ts'
import { type EffectKey, effectNotes, effectOnce } from './effect.ts'

export interface Participant {
  /**
   * Applies the statements once. A refusal (an `expect` that was not met) is remembered: the same id is
   * refused for ever, since whoever asked may have acted on the refusal.
   */
  apply(id: string, statements: readonly SqlStatement[], result?: unknown): Promise<Applied>
  /**
   * Undoes what `apply` did under this id, once. If nothing was done, it leaves a tombstone that refuses
   * a late `apply` (empty rollback; after it the original cannot hang).
   */
  undo(id: string, statements: readonly SqlStatement[]): Promise<Undone>
}

export type Applied =
  | { readonly status: 'applied'; readonly first: boolean; readonly result: unknown }
  /** `refusedAt`: the statement, if the refusal is fresh. */
  | { readonly status: 'refused'; readonly refusedAt?: number }
  /** It was undone before it came, or after: do not treat it as done. */
  | { readonly status: 'undone' }

export type Undone =
  | { readonly status: 'undone'; readonly was: 'applied' | 'nothing' | 'undone' }
  /** The undoing statements did not meet their `expect`: nothing was changed. */
  | { readonly status: 'refused'; readonly refusedAt: number; readonly outcome: SqlOutcome }

/** How often an undo may find that the original slipped in between its two batches: once is the rule. */
const racesMax = 5

/** `scope` keeps participants that share a table apart. `nowMs` dates the notes, for `purgeEffects`. */
export function participant(
  db: SqlDatabase,
  options: { readonly scope: string; readonly table?: string; readonly nowMs?: () => number },
): Participant {
  const { nowMs, ...place } = options
  const key = (id: string): EffectKey => ({ ...place, id, ...(nowMs ? { atMs: nowMs() } : {}) })

  return {
    async apply(id, statements, result = null) {
      const memory = { ...key(id), result, onRefused: { result: null } }
      const effect = await effectOnce(db, memory, statements)
      if (effect.applied) return { status: 'applied', first: true, result: effect.result }
      if (effect.reason === 'duplicate') {
        return { status: 'applied', first: false, result: effect.result }
      }
      if (effect.reason === 'undone') return { status: 'undone' }
      const { refusedAt } = effect
      return { status: 'refused', ...(refusedAt === undefined ? {} : { refusedAt }) }
    },

    async undo(id, statements) {
      const notes = effectNotes(db, key(id))
      for (let race = 0; race < racesMax; race += 1) {
        const outcome = await db.run({
          statements: [notes.change('applied', 'undone'), ...statements],
        })
        const { refusedAt } = outcome
        if (refusedAt === undefined) return { status: 'undone', was: 'applied' }
        if (refusedAt > 0) return { status: 'refused', refusedAt: refusedAt - 1, outcome }
        const tombstone = await db.run({ statements: [notes.insert('undone', null)] })
        if (tombstone.refusedAt === undefined) return { status: 'undone', was: 'nothing' }
        const noted = await notes.read()
        if (noted?.state === 'undone') return { status: 'undone', was: 'undone' }
        if (noted?.state === 'refused') return { status: 'undone', was: 'nothing' }
      }
      throw new OutcomeUnknownError(`"${id}" changed ${racesMax} times while it was undone`)
    },
  }
}
