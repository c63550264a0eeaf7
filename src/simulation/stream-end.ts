/**
 * One end of a simulated connection: what its process has not taken yet, what its peer has not taken
 * yet, and in which of its states it is.
 */
import type { StreamReceiver } from '../runtime/network.ts'
import type { Draws } from './chance.ts'
import type { Death, Incarnation } from './incarnation.ts'

/** Bytes, or the word that no more will come. */
export type Segment = Uint8Array | 'end'

export interface StreamEnd {
  readonly owner: Incarnation
  readonly host: string
  readonly remote: string
  readonly draws: Draws
  peer: StreamEnd | undefined
  /** For the trace: `wire a>b`. */
  kind: string
  receiver: StreamReceiver | undefined
  /** What arrived in the kernel and was not yet handed to the process. */
  readonly inbox: Segment[]
  failure: Error | undefined
  flushing: boolean
  reading: boolean
  /** Nothing more is sent or taken by this side. */
  over: boolean
  /** A middlebox forgot this connection: nothing arrives, for ever. */
  silenced: boolean
  sentEnd: boolean
  gotEnd: boolean
  /** Bytes written that the peer has not taken. */
  bufferedBytes: number
  readonly waiters: (() => void)[]
  lastArrivalUs: number
  /** Sent into a cut link; sent again when it is whole. */
  stalled: Segment[]
  /** Which stall this is, so that an old give-up timer does not end a new one; 0 when there is none. */
  stall: number
  stalls: number
  ending: (death: Death) => void
}

/** A fresh end, not joined to any other. */
export function streamEnd(
  owner: Incarnation,
  host: string,
  remote: string,
  draws: Draws,
): StreamEnd {
  return {
    owner,
    host,
    remote,
    draws,
    peer: undefined,
    kind: 'wire',
    receiver: undefined,
    inbox: [],
    failure: undefined,
    flushing: false,
    reading: true,
    over: false,
    silenced: false,
    sentEnd: false,
    gotEnd: false,
    bufferedBytes: 0,
    waiters: [],
    lastArrivalUs: 0,
    stalled: [],
    stall: 0,
    stalls: 0,
    ending: () => {},
  }
}
