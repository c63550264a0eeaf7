/**
 * Chosen blind: by reading the production file alone, before the scenario that should find them had
 * been looked at. They say how good the scenarios are at what nobody had in mind.
 */
const mutant = (id, trial, file, from, to, breaks) => ({
  ...{ id, trial, file, from, to, breaks },
  blind: true,
})

export const blind = [
  mutant(
    'front-jumps-over-busy-item',
    'position',
    'src/kernels/tracker.ts',
    'if (!finished) break',
    'if (!finished) continue',
    'the bookmark passes an item whose effect is not durable yet',
  ),
  mutant(
    'owner-ignores-epoch',
    'decision',
    'src/kernels/decision-ownership.ts',
    'if (found.epoch !== record.epoch || found.owner === undefined) {',
    'if (found.owner === undefined) {',
    'an owner that was taken over goes on writing, on top of the new owner',
  ),
  mutant(
    'delivery-requeued-early',
    'work',
    'src/drivers/embedded/work-claim.ts',
    "expired('lease_boot = ?4 AND lease_until_ms <= ?3')",
    "expired('lease_boot = ?4 AND lease_until_ms <= ?3 + 300')",
    'a message goes to somebody else before its delivery has run out',
  ),
  mutant(
    'undo-leaves-no-tombstone',
    'saga',
    'src/transactions/participant.ts',
    "statements: [notes.insert('undone', null)]",
    "statements: [{ sql: 'SELECT 1' }]",
    'what was undone before it came is applied when it comes late',
  ),
  mutant(
    'drain-disowns-accepted-calls',
    'rollingRestart',
    'src/services/rpc/server-session.ts',
    'connection.send(frameKind.goaway, lastAccepted, new Uint8Array(0))',
    'connection.send(frameKind.goaway, 0, new Uint8Array(0))',
    'a server that drains tells callers that it took none of the calls it works on',
  ),
  mutant(
    'heartbeat-counted-from-answer',
    'queue',
    'src/messaging/hands.ts',
    'item.validUntilMs = startMs + leaseMs * (1 - leaseDriftMargin)',
    'item.validUntilMs = nowMs + leaseMs * (1 - leaseDriftMargin)',
    'a consumer believes in a delivery for longer than the store does',
  ),
  mutant(
    'stream-overtakes-itself',
    'network',
    'src/simulation/stream-wire.ts',
    'const delayUs = Math.max(travelUs, from.lastArrivalUs + 1 - scheduler.nowUs())',
    'const delayUs = travelUs',
    'simulator: bytes of one stream arrive in another order',
  ),
  mutant(
    'tokens-restart-after-boot',
    'leases',
    'src/drivers/embedded/lease-statements.ts',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is source text.
    '    { sql: foldInto(`SELECT token ${foreign}`), parameters },\n',
    '',
    'the first boot after a power cut gives tokens out a second time',
  ),
]
