/** docs/mutants.md: what was planted, who found it, and how soon. */
const opening = (found, clean, { seeds }) => `# Planted bugs

<!-- Written by \`node scripts/mutate.mjs --head --measure --write\`. -->

A test that cannot fail proves nothing. So bugs are planted in the program, one at a time, by a script that
edits a copy of one file, and the shipped scenarios must find each of them within
${seeds} seeds. The unchanged program passes the same trials, with ${clean.seeds} seeds each.

${found.length} mutants, all found; ${found.filter(({ mutant }) => mutant.blind).length} of them were
chosen *blind*: by reading the production file alone, before the scenario had been looked at. The list is in
\`tests/mutants/\`; a mutant whose text no longer stands in its file fails the run.

*Seeds* is how many seeds were run until the judge spoke. Where it says *test*, no scenario is meant to find
the bug: those in the simulator and in the judges are found by their own tests, and a few that no scenario reaches by unit tests.
`

const history = `
## How it came about

Scenarios were not all this good. The first run, with 60 seeds, missed 16 of 77, two of the eight blind ones
among them (\`drain-disowns-accepted-calls\`, \`heartbeat-counted-from-answer\`). Twelve of the sixteen were
met by better scenarios or judges, or by a verdict that can be read; two are left to unit tests
(\`late-owner-gives-own-answer\`, \`deregistration-held\`); one planted bug was too mild to matter and was
made worse (\`budget-never-empty\`); one was taken out, because nobody can see it but in the number of
redeliveries (an acknowledgement that failed and is not sent again). Of the bugs in judges two were missed at first
(\`empty-where-stays-touch\`, \`old-token-accepted-later\`) and met by one test each; one more was taken out, because
the naming of cycles makes up for it (\`through\` forgetting the kind by which a hub was entered). So for those the figure says how good
the scenarios are now, not how they would have done unprepared.
`

function shrinking(found) {
  const measured = found.filter(({ measure }) => measure !== undefined)
  const gaps = measured.map(({ mutant, measure }) => measure.shrunk - mutant.least)
  const seconds = measured.map(({ measure }) => measure.shrinkMs / 1_000)
  const sorted = (numbers) => numbers.toSorted((a, b) => a - b)
  const median = (numbers) => sorted(numbers)[Math.floor(numbers.length / 2)] ?? 0
  const largest = (numbers) => sorted(numbers).at(-1) ?? 0
  return `
## What shrinking leaves

The ${measured.length} cases that a scenario found are shrunk: of up to ${largest(measured.map(({ measure }) => measure.planned))} faults in a plan, ${median(measured.map(({ measure }) => measure.shrunk))} are
left in the median and ${largest(measured.map(({ measure }) => measure.shrunk))} at most. *Minimal faults* is the least with which the bug can show on any seed, worked
out by hand and put to the test: for each case, 300 seeds without faults, 300 with at most one fault, and so on
below what shrinking left, and up to 1,500 smaller choices among the faults of the case itself. The gap is
${median(gaps)} in the median and ${largest(gaps)} at most; shrinking took ${median(seconds).toFixed(1)} s in the median and ${largest(seconds).toFixed(1)} s at most, on a busy machine of two
cores. Bugs that need no fault at all show when clients overlap, or answers, timers or chance refusals come at bad moments. The
others:
`
}

export function page(clean, found, counts) {
  const rows = found.map(({ mutant, seed, judge, measure }) => {
    const { id, breaks, file, trial, blind, least } = mutant
    const by = seed === undefined ? `${trial}: ${judge}` : `${trial}: \`${judge}\``
    const faults =
      measure === undefined
        ? ['', '', '']
        : [least, measure.shrunk, (Math.max(0, measure.shrinkMs) / 1_000).toFixed(1)]
    const where = `\`${file.replace('src/', '')}\``
    return [id, breaks, where, by, seed ?? 'test', ...faults, blind ? 'yes' : '']
  })
  const table = (head, body) =>
    [head, head.map(() => '---'), ...body].map((row) => `| ${row.join(' | ')} |`).join('\n')
  return [
    opening(found, clean, counts),
    table(
      ['bug', 'what it breaks', 'in', 'trial and judge', 'seeds', 'minimal faults'].concat([
        'after shrinking',
        'shrink s',
        'blind',
      ]),
      rows,
    ),
    shrinking(found),
    table(
      ['bug', 'faults', 'what it needs'],
      found
        .filter(({ mutant }) => mutant.why)
        .map(({ mutant }) => [mutant.id, mutant.least, mutant.why]),
    ),
    history,
    '## The unchanged program\n',
    table(
      ['trial', 'verdict', 'seconds'],
      clean.results.map(({ name, status, seconds }) => [name, status, seconds.toFixed(0)]),
    ),
    '',
  ].join('\n')
}
