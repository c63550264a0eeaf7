import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { canonical, simple } from './canonical.ts'
import { type EdnValue, readEdn } from './edn.ts'
import { guessFormat, type HistoryFormat, readHistory } from './history-file.ts'
import { HistoryFormatError } from './history-format-error.ts'
import { paired } from './recorded.ts'
import {
  casRegisterMeaning,
  counterMeaning,
  fencedLockMeaning,
  keyValueMeaning,
  queueMeaning,
  registerMeaning,
  setMeaning,
  stackMeaning,
  translated,
} from './translate.ts'

const edn = (...chunks: string[]): EdnValue[] => Array.from(readEdn(chunks), ({ value }) => value)
const word = (name: string): symbol => Symbol.for(name)

/** The line of the error; 0: there was none. */
function wrongLine(read: () => unknown): number {
  try {
    read()
    return 0
  } catch (error) {
    if (error instanceof HistoryFormatError) return error.line
    throw error
  }
}

describe('EDN', () => {
  it('values of every kind', () => {
    expect(
      edn('nil true -7 2.5e3 1/2x'.replace('1/2x', 'x/y'), ' "a\\n\\u0041" :k/w 9007199254740993'),
    ).toEqual([null, true, -7, 2_500, word('x/y'), 'a\nA', word('k/w'), 9_007_199_254_740_993n])
    expect(edn('{:a [1 (2)] #{3} \\c}')).toEqual([
      new Map<EdnValue, EdnValue>([
        [word('a'), [1, [2]]],
        [new Set([3]), 'c'],
      ]),
    ])
  })

  it('comments, commas, tags, and what is taken away', () => {
    expect(edn('; no\n1, #_ 2 #_[3 4] #jepsen.history.Op{:a #inst "x"} ; end')).toEqual([
      1,
      new Map([[word('a'), 'x']]),
    ])
  })

  it('a file that is one vector is its elements', () => {
    expect(edn('[{:a 1}\n{:a 2}]\n')).toEqual([
      new Map([[word('a'), 1]]),
      new Map([[word('a'), 2]]),
    ])
    expect(wrongLine(() => edn('[1 2'))).toBe(1)
    expect(wrongLine(() => edn('[1]\n2'))).toBe(2)
  })

  it('pieces may end anywhere', () => {
    const text = '{:process 12, :value "a\\"b" , :f #tag [nil 3.5 -2]} ; end\n#{:x}'
    const whole = edn(text)
    fc.assert(
      fc.property(fc.array(fc.nat(text.length)), (cuts) => {
        const at = [0, ...cuts.sort((a, b) => a - b), text.length]
        expect(edn(...at.map((from, index) => text.slice(from, at[index + 1] ?? from)))).toEqual(
          whole,
        )
      }),
    )
  })

  it.each([
    ['1\n2\n}', 3],
    ['{:a\n 1 :b}', 2],
    ['{:a 1\n:a 2}', 2],
    ['1\n"no end\n\n', 2],
    ['"\\q"', 1],
    ['\n12abc', 2],
    ['['.repeat(100_000), 1],
    [`${'#a '.repeat(100_000)}1`, 1],
    ['9'.repeat(100_000), 1],
    ['x'.repeat(3_000_000), 1],
    [`"${'x'.repeat(3_000_000)}"`, 1],
    ['{#', 1],
    [':', 1],
  ])('hostile or broken text %# ends in the line of the error', (text, line) => {
    expect(wrongLine(() => edn(text))).toBe(line)
  })

  it('any text is read or refused, never anything else', () => {
    const piece = fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      '(',
      ')',
      '#',
      '_',
      '"',
      '\\',
      ':a',
      ' 1',
      '\n',
      ';',
      ',',
    )
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        wrongLine(() => edn(pieces.join('')))
      }),
      { numRuns: 2_000 },
    )
  })

  it('canonical text does not depend on the order of writing', () => {
    const [one = null, other = null] = edn('{:a #{1 "2"} :b nil}', ' {:b nil :a #{"2" 1}}')
    expect(canonical(one)).toBe(canonical(other))
    expect(simple(one)).toBe('{:a #{"2" 1}, :b nil}')
  })
})

describe('histories', () => {
  const read = (format: HistoryFormat, text: string) => paired(readHistory([text], format))
  const log = (...lines: string[]) =>
    read('jepsen-log', lines.map((line) => `INFO  jepsen.util - ${line}`).join('\n'))

  it('a Jepsen log: what ends, what fails, what nobody knows', () => {
    const recorded = log(
      '0\t:invoke\t:write\t3',
      '1  :invoke :cas [3 4]',
      ':nemesis\t:info\t:start\tnil',
      '2\t:invoke\t:read\tnil',
      '0\t:ok\t:write\t3',
      '1\t:fail\t:cas\t[3 4]',
      '2\t:info\t:read\t:timed-out',
      '3\t:invoke\t:read\tnil',
    )
    expect(recorded.map(({ end }) => end)).toEqual(['ok', 'failed', 'open', 'open'])
    expect(translated(recorded, casRegisterMeaning).lines).toEqual([1, 4, 8])
    const observed = translated(recorded, casRegisterMeaning, { failedCas: 'observed' })
    expect(observed.lines).toEqual([1, 2, 4, 8])
    expect(observed.operations[1]?.output).toBe(false)
    expect(observed.operations[2]).not.toHaveProperty('output')
    expect(observed.operations[2]?.returnedAt).toBe(Number.POSITIVE_INFINITY)
  })

  it('the three notations say the same', () => {
    const events = [
      [0, 'invoke', 'write', 3],
      [1, 'invoke', 'read', null],
      [0, 'ok', 'write', 3],
      [1, 'ok', 'read', 3],
    ] as const
    const shown = (value: number | null) => (value === null ? 'nil' : String(value))
    const asLog = log(
      ...events.map(([p, type, f, value]) => `${p}\t:${type}\t:${f}\t${shown(value)}`),
    )
    const asEdn = read(
      'jepsen-edn',
      `[${events.map(([p, type, f, value]) => `{:process ${p} :type :${type} :f :${f} :value ${shown(value)} :index 1}`).join('\n')}]`,
    )
    const asJson = read(
      'jsonl',
      events
        .map(([process, type, f, value]) => JSON.stringify({ process, type, f, value }))
        .join('\n'),
    )
    expect(asEdn).toEqual(asLog)
    expect(asJson).toEqual(asLog)
  })

  it.each([
    ['jepsen-log', 'INFO  jepsen.util - 0 :invoke :write', 0],
    ['jepsen-log', '\nINFO  jepsen.util - 0 :starts :write 1', 2],
    ['jepsen-log', 'INFO  jepsen.util - 0 :invoke :write 1 2', 1],
    ['jepsen-log', 'INFO  jepsen.util - 0 :ok :write 1', 1],
    ['jepsen-edn', '{:process 0 :type :invoke :f :read}\n{:process 0 :type :invoke :f :read}', 2],
    ['jepsen-edn', '{:process 0 :type :invoke :f :read}\n{:process 0 :type :ok :f :write}', 2],
    ['jepsen-edn', '\n\n7', 3],
    ['jepsen-edn', '{:process "a" :type :ok :f :read}', 1],
    ['jsonl', '{"process":0,"type":"invoke","f":"read"}\n{', 2],
    ['jsonl', '{"process":0.5,"type":"invoke","f":"read"}', 1],
    ['jsonl', '{"process":0,"type":"invoke","f":"read","vaule":3}', 1],
    ['jsonl', '{"process":0,"type":"invoke","f":"read","value":9007199254740993}', 1],
    [
      'jsonl',
      `{"process":0,"type":"invoke","f":"w","value":${'['.repeat(1_000)}${']'.repeat(1_000)}}`,
      1,
    ],
    ['jsonl', '[]', 1],
  ] as const)('%s: %j is wrong in line %d', (format, text, line) => {
    expect(wrongLine(() => read(format, text))).toBe(line)
  })

  it('a line without an end is refused before it fills the memory', () => {
    function* endless(): Generator<string> {
      for (;;) yield 'x'.repeat(100_000)
    }
    expect(wrongLine(() => paired(readHistory(endless(), 'jsonl')))).toBe(1)
    expect(wrongLine(() => paired(readHistory(endless(), 'jepsen-log')))).toBe(1)
    expect(wrongLine(() => paired(readHistory(endless(), 'jepsen-edn')))).toBe(1)
  })

  it('the notation is guessed from the start', () => {
    expect(guessFormat('\n {"process":0')).toBe('jsonl')
    expect(guessFormat('{:process 1, :type :invoke, :f :get, :key "9", :value nil}')).toBe(
      'kv-text',
    )
    expect(guessFormat('[{:process 1')).toBe('jepsen-edn')
    expect(guessFormat('#jepsen.history.Op{')).toBe('jepsen-edn')
    expect(guessFormat('INFO  jepsen.util - 0')).toBe('jepsen-log')
  })
})

describe('meanings', () => {
  const said = (f: string, asked: EdnValue, answered: EdnValue = null) => ({
    line: 9,
    process: 0,
    f,
    asked,
    answered,
    end: 'ok' as const,
    calledAt: 1,
    returnedAt: 2,
  })

  it('of every model', () => {
    expect(registerMeaning(said('read', null, [1]))).toEqual({
      input: { type: 'read' },
      output: '[1]',
    })
    expect(keyValueMeaning({ ...said('put', 'v'), key: 'k' }).input).toEqual({
      type: 'put',
      key: 'k',
      value: 'v',
    })
    expect(queueMeaning(said('dequeue', null, 4)).output).toBe(4)
    expect(stackMeaning(said('pop', null)).output).toBe(null)
    expect(setMeaning(said('add', 3, 3)).output).toBe(undefined)
    expect(setMeaning(said('read', null, new Set([3]))).output).toEqual([3])
    expect(counterMeaning(said('add', -3)).input).toEqual({ type: 'add', amount: -3n })
    expect(fencedLockMeaning(said('acquire', null, '18446744073709551616')).output).toBe(2n ** 64n)
    expect(fencedLockMeaning(said('write', 7, false)).output).toBe(false)
  })

  it('what a model does not know is bad input, with its line', () => {
    const strange = [
      () => registerMeaning(said('cas', [1, 2])),
      () => casRegisterMeaning(said('cas', 3)),
      () => keyValueMeaning(said('put', null)),
      () => queueMeaning(said('enqueue', null)),
      () => stackMeaning(said('peek', null)),
      () => setMeaning(said('read', null, 3)),
      () => counterMeaning(said('add', 1.5)),
      () => fencedLockMeaning(said('release', null)),
    ]
    for (const meaning of strange) expect(wrongLine(meaning)).toBe(9)
  })
})
