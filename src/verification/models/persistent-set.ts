/**
 * A set whose versions share what they have in common, so that a search can keep thousands of them. It is
 * a treap (Seidel and Aragon, 1996) with the hash of a value as its priority: the same values make the same
 * tree, whatever the order in which they came, and two trees are compared by their shared parts.
 */
import type { Value } from '../history.ts'
import { hashValue } from './value.ts'

export interface SetNode {
  readonly value: Value
  readonly priority: number
  readonly left: SetNode | undefined
  readonly right: SetNode | undefined
  readonly size: number
  /** Exclusive or of the hashes of all values. */
  readonly hash: number
}

export type PersistentSet = SetNode | null

function node(value: Value, priority: number, left?: SetNode, right?: SetNode): SetNode {
  return {
    value,
    priority,
    left,
    right,
    size: 1 + (left?.size ?? 0) + (right?.size ?? 0),
    hash: priority ^ (left?.hash ?? 0) ^ (right?.hash ?? 0),
  }
}

/** A total order of values, of whatever kind. */
function before(one: Value, other: Value): boolean {
  if (typeof one !== typeof other) return typeof one < typeof other
  if (one === null || other === null) return false
  return one < other
}

export function setHas(set: PersistentSet, value: Value): boolean {
  let at: SetNode | undefined = set ?? undefined
  while (at !== undefined && at.value !== value) at = before(value, at.value) ? at.left : at.right
  return at !== undefined
}

export function setWith(set: PersistentSet, value: Value): PersistentSet {
  return setHas(set, value) ? set : inserted(set ?? undefined, value, hashValue(value))
}

export function setWithout(set: PersistentSet, value: Value): PersistentSet {
  return set !== null && setHas(set, value) ? (removed(set, value) ?? null) : set
}

export function sameSet(one: PersistentSet, other: PersistentSet): boolean {
  return same(one ?? undefined, other ?? undefined)
}

function same(one: SetNode | undefined, other: SetNode | undefined): boolean {
  if (one === other) return true
  if (one === undefined || other === undefined) return false
  return (
    one.hash === other.hash &&
    one.size === other.size &&
    one.value === other.value &&
    same(one.left, other.left) &&
    same(one.right, other.right)
  )
}

/** Does this node stand above that value? Ties in priority are settled by the values' order. */
function above(at: SetNode, value: Value, priority: number): boolean {
  return at.priority > priority || (at.priority === priority && before(at.value, value))
}

function inserted(at: SetNode | undefined, value: Value, priority: number): SetNode {
  if (at === undefined) return node(value, priority)
  if (!above(at, value, priority)) {
    const [left, right] = split(at, value)
    return node(value, priority, left, right)
  }
  return before(value, at.value)
    ? node(at.value, at.priority, inserted(at.left, value, priority), at.right)
    : node(at.value, at.priority, at.left, inserted(at.right, value, priority))
}

function split(
  at: SetNode | undefined,
  value: Value,
): [left: SetNode | undefined, right: SetNode | undefined] {
  if (at === undefined) return [undefined, undefined]
  if (before(value, at.value)) {
    const [left, right] = split(at.left, value)
    return [left, node(at.value, at.priority, right, at.right)]
  }
  const [left, right] = split(at.right, value)
  return [node(at.value, at.priority, at.left, left), right]
}

function removed(at: SetNode | undefined, value: Value): SetNode | undefined {
  if (at === undefined) return undefined
  if (at.value === value) return merged(at.left, at.right)
  return before(value, at.value)
    ? node(at.value, at.priority, removed(at.left, value), at.right)
    : node(at.value, at.priority, at.left, removed(at.right, value))
}

function merged(left: SetNode | undefined, right: SetNode | undefined): SetNode | undefined {
  if (left === undefined) return right
  if (right === undefined) return left
  return above(left, right.value, right.priority)
    ? node(left.value, left.priority, left.left, merged(left.right, right))
    : node(right.value, right.priority, merged(left, right.left), right.right)
}
