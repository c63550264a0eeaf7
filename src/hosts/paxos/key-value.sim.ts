/** The store on trial: texts by key, to be put, appended to and got. */
import type { PaxosMachine } from './contract.ts'

export type StoreCommand =
  | { readonly type: 'get'; readonly key: string }
  | { readonly type: 'put' | 'append'; readonly key: string; readonly value: string }
  | { readonly type: 'delete'; readonly key: string }

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** Answers JSON: of a get, the value or null; of the others, null. */
export function keyValueMachine(): PaxosMachine {
  let values = new Map<string, string>()

  function carryOut(bytes: Uint8Array): Uint8Array {
    const command: StoreCommand = JSON.parse(decoder.decode(bytes))
    const { type, key } = command
    let answer: string | null = null
    if (type === 'get') answer = values.get(key) ?? null
    else if (type === 'put') values.set(key, command.value)
    else if (type === 'append') values.set(key, (values.get(key) ?? '') + command.value)
    else values.delete(key)
    return encoder.encode(JSON.stringify(answer))
  }

  return {
    apply: (_, command) => carryOut(command),
    query: carryOut,
    snapshot: () => encoder.encode(JSON.stringify([...values])),
    restore(state) {
      values = new Map(JSON.parse(decoder.decode(state)))
    },
  }
}
