/**
 * An error on its way between two processes: bounded, without a stack, and honest about the outcome.
 * What a procedure throws by accident says nothing about its effects, so a `not-applied` that leaks out
 * of something it called is sent as `unknown`: the procedure may have done half of its work before.
 */
import { type HoldfastError, isHoldfastError, type Outcome } from '../../errors.ts'
import { RpcApplicationError, rebuildError } from './rpc-error.ts'

const messageLengthMax = 1_024
const detailsLengthMax = 4_096
const codeLengthMax = 128

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** `vouched`: the error is the server's own refusal, made before the procedure ran. */
export function encodeFailure(error: unknown, vouched: boolean): Uint8Array {
  return encoder.encode(JSON.stringify(describe(error, vouched)))
}

function describe(error: unknown, vouched: boolean): Record<string, unknown> {
  if (!isHoldfastError(error)) {
    return { code: 'internal', outcome: 'unknown', message: 'the procedure failed' }
  }
  const application = error instanceof RpcApplicationError
  const outcome =
    vouched || application || error.outcome !== 'not-applied' ? error.outcome : 'unknown'
  return {
    code: error.code.slice(0, codeLengthMax),
    outcome,
    message: error.message.slice(0, messageLengthMax),
    ...(application && { application: true }),
    ...boundedDetails(error),
  }
}

function boundedDetails(error: HoldfastError): { details?: unknown } {
  try {
    const text = JSON.stringify(error.details, (_, value: unknown) =>
      typeof value === 'bigint' ? String(value) : value,
    )
    if (text === undefined || text === '{}') return {}
    if (text.length > detailsLengthMax) return { details: { truncated: true } }
    return { details: JSON.parse(text) }
  } catch {
    return { details: { truncated: true } } // circular
  }
}

/** Never throws: bytes that are no failure are an unknown failure. */
export function decodeFailure(bytes: Uint8Array): HoldfastError {
  const fields = parse(bytes)
  const code = typeof fields.code === 'string' ? fields.code : 'internal'
  const message = typeof fields.message === 'string' ? fields.message : 'the call failed'
  const outcome = isOutcome(fields.outcome) ? fields.outcome : 'unknown'
  const options = isRecord(fields.details) ? { details: fields.details } : {}
  return fields.application === true
    ? new RpcApplicationError(code, message, { ...options, outcome })
    : rebuildError(code, outcome, message, options)
}

function parse(bytes: Uint8Array): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(decoder.decode(bytes))
    return isRecord(value) ? value : {}
  } catch {
    return {}
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isOutcome(value: unknown): value is Outcome {
  return value === 'not-applied' || value === 'unknown' || value === 'invalid'
}
