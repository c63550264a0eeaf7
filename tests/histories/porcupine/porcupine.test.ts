import { readFileSync } from 'node:fs'
import { performance } from 'node:perf_hooks'
import { gunzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { readHistory } from '../../../src/verification/formats/history-file.ts'
import { paired } from '../../../src/verification/formats/recorded.ts'
import {
  casRegisterMeaning,
  keyValueMeaning,
  translated,
} from '../../../src/verification/formats/translate.ts'
import type { Verdict } from '../../../src/verification/history.ts'
import { checkLinearizability } from '../../../src/verification/linearizability/checker.ts'
import { perKey } from '../../../src/verification/linearizability/per-key.ts'
import { keyValue } from '../../../src/verification/models/key-value.ts'
import { casRegister } from '../../../src/verification/models/register.ts'

const file = (name: string): Buffer => readFileSync(new URL(name, import.meta.url))
const histories: Readonly<Record<string, string>> = JSON.parse(
  gunzipSync(file('histories.json.gz')).toString(),
)
const verdicts: Readonly<Record<string, Verdict>> = JSON.parse(file('verdicts.json').toString())

/** The judge's verdict, and the milliseconds it took once the file was read. */
function judged(name: string): { readonly verdict: Verdict; readonly tookMs: number } {
  const isLog = name.endsWith('.log')
  const recorded = paired(readHistory([histories[name] ?? ''], isLog ? 'jepsen-log' : 'kv-text'))
  const startedMs = performance.now()
  const { verdict } = isLog
    ? checkLinearizability(
        translated(recorded, casRegisterMeaning, { failedCas: 'observed' }).operations,
        perKey(casRegister()),
      )
    : checkLinearizability(translated(recorded, keyValueMeaning).operations, perKey(keyValue('')))
  return { verdict, tookMs: performance.now() - startedMs }
}

describe("the verdicts stated in Porcupine's tests", () => {
  it('102 Jepsen logs of etcd, in a second and a half together', () => {
    const logs = Object.keys(verdicts).filter((name) => name.endsWith('.log'))
    expect(logs).toHaveLength(102)
    let tookMs = 0
    for (const name of logs) {
      const judgement = judged(name)
      expect(judgement.verdict, name).toBe(verdicts[name])
      tookMs += judgement.tookMs
    }
    // The machine may be busy with other tests: the bar itself is held by bench/verification.mjs.
    expect(tookMs).toBeLessThan(10 * 1_500)
  })

  const keyed = Object.keys(verdicts).filter((name) => name.endsWith('.txt'))
  it.each(keyed)('%s', (name) => {
    const { verdict, tookMs } = judged(name)
    expect(verdict).toBe(verdicts[name])
    expect(tookMs).toBeLessThan(10 * 1_000)
  })

  it('negative control: one answer changed, and a history that was right is not', () => {
    const right = histories['c10-ok.txt'] ?? ''
    const wrong = right.replace(/(:type :ok, :f :get, :key "\d+", :value "x \d)/, '$19')
    expect(wrong).not.toBe(right)
    const recorded = paired(readHistory([wrong], 'kv-text'))
    const { operations } = translated(recorded, keyValueMeaning)
    expect(checkLinearizability(operations, perKey(keyValue(''))).verdict).toBe('violation')
  })
})
