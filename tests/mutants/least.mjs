/**
 * The fewest faults with which each bug can show, worked out by hand from what the bug needs to happen, and tried: a
 * measured run that gets by with fewer proves the number wrong and fails. Those not named here need none: clients
 * that overlap, answers that are late, timers that are late and calls that are refused by chance are enough, and are
 * no faults.
 */
export const least = new Map([
  [
    'lease-has-no-deadline-timer',
    [1, 'a renewal must fail to come through: one slow disk or pause'],
  ],
  ['decision-told-before-durable', [1, 'a power cut after the answer']],
  [
    'fence-lets-old-tokens-pass',
    [1, 'a holder must sleep through its lease and then write: one pause'],
  ],
  ['token-not-durable', [1, 'a power cut after the grant']],
  ['session-outlives-its-end', [1, 'somebody must die: one kill']],
  [
    'saga-intent-not-stored',
    [
      1,
      'the executor must die between the call and its note; the refusal that turns the saga back is chance',
    ],
  ],
  ['renewal-outlives-execution', [1, 'the store must fail an executor for long: one full disk']],
  ['saga-timeout-is-failure', [1, 'an answer must be later than the time limit: one slow network']],
  ['saga-undo-skips-a-step', [1, 'a compensation must be interrupted: one failed sync']],
  ['taken-over-attempt-answers', [1, 'an attempt must outlive its lease: one pause']],
  ['retry-of-non-idempotent', [1, 'an answer must get lost: one partition']],
  [
    'lost-connection-is-not-applied',
    [1, 'a connection must break while a call is under way: one partition'],
  ],
  [
    'last-attempt-speaks-for-all',
    [1, 'the first attempt must get lost after its effect, the second is refused by the load'],
  ],
  ['deadline-is-not-applied', [1, 'an answer must be later than the deadline: one partition']],
  ['full-commit-lost', [1, 'it is a power cut that loses the commit']],
  ['tokens-restart-after-boot', [1, 'there must be a boot: one power cut']],
])
