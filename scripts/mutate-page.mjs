/** docs/mutants.md: what was planted, who found it, and how soon. */
const opening = (found, { seeds, cleanSeeds }) => `# Planted bugs

<!-- Written by \`node scripts/mutate.mjs --head --write\`. -->

A test that cannot fail proves nothing. So bugs are planted in the program, one at a time, by a script that
edits a copy of one file, and the shipped scenarios must find each of them within
${seeds} seeds. The unchanged program passes the same trials, here with ${cleanSeeds} seeds each.

${found.length} mutants, all found; ${found.filter(({ mutant }) => mutant.blind).length} of them were
chosen *blind*: by reading the production file alone, before the scenario had been looked at. The list is in
\`tests/mutants/\`; a mutant whose text no longer stands in its file fails the run.

*Seeds* is how many seeds were run until the judge spoke. Where it says *test*, no scenario is meant to find
the bug: those in the simulator are found by its own tests, and a few that no scenario reaches by unit tests.
`

const history = `
## How it came about

Scenarios were not all this good. The first run, with 60 seeds, missed 16 of 77, two of the eight blind ones
among them (\`drain-disowns-accepted-calls\`, \`heartbeat-counted-from-answer\`). Twelve of the sixteen were
met by better scenarios or judges, or by a verdict that can be read; two are left to unit tests
(\`late-owner-gives-own-answer\`, \`deregistration-held\`); one planted bug was too mild to matter and was
made worse (\`budget-never-empty\`); one was taken out, because nobody can see it but in the number of
redeliveries (an acknowledgement that failed and is not sent again). So for those twelve the figure says how good
the scenarios are now, not how they would have done unprepared.
`

export function page(clean, found, counts) {
  const rows = found.map(({ mutant, seed, judge }) => {
    const { id, breaks, file, trial, blind } = mutant
    const by = seed === undefined ? `${trial}: ${judge}` : `${trial}: \`${judge}\``
    return [id, breaks, `\`${file.replace('src/', '')}\``, by, seed ?? 'test', blind ? 'yes' : '']
  })
  const table = (head, body) =>
    [head, head.map(() => '---'), ...body].map((row) => `| ${row.join(' | ')} |`).join('\n')
  return [
    opening(found, counts),
    table(['bug', 'what it breaks', 'in', 'trial and judge', 'seeds', 'blind'], rows),
    history,
    '## The unchanged program\n',
    table(
      ['trial', 'verdict', 'seconds'],
      clean.map(({ name, status, seconds }) => [name, status, seconds.toFixed(0)]),
    ),
    '',
  ].join('\n')
}
