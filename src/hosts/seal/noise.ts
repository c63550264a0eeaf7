/**
 * Two parties who share a secret agree on fresh keys for one connection: Noise NNpsk0 with X25519,
 * ChaCha20-Poly1305 and SHA-256 (The Noise Protocol Framework, revision 34, sections 5, 7.5 and 9).
 *
 *   -> psk, e
 *   <- e, ee
 *
 * Only who knows the secret can make or read either message, so the answer proves the responder, and the
 * first sealed frame after it proves the initiator. The keys come from ephemeral keys, so a secret that
 * leaks later opens no connection of the past. Whoever repeats an old first message gets an answer that
 * he cannot use.
 */
import { chacha20poly1305 } from '@noble/ciphers/chacha.js'
import { x25519 } from '@noble/curves/ed25519.js'
import { hkdf } from '@noble/hashes/hkdf.js'
import { sha256 } from '@noble/hashes/sha2.js'

const keyBytes = 32
export const tagBytes: number = 16
/** The point with coordinate 9 (RFC 7748, section 6.1). */
const basePoint = Uint8Array.of(9, ...new Uint8Array(keyBytes - 1))
const nothing = new Uint8Array(0)
const protocolName = new TextEncoder().encode('Noise_NNpsk0_25519_ChaChaPoly_SHA256')

/** One direction: a key, and a count of what was sealed under it, so that no frame can stand for another. */
export interface Cipher {
  /** Writes ciphertext and tag: `plain.length + tagBytes` bytes of `target`. */
  seal(plain: Uint8Array, associated?: Uint8Array, target?: Uint8Array): Uint8Array
  /** @throws if it is not the very next thing the other side sealed. */
  open(sealed: Uint8Array, associated?: Uint8Array): Uint8Array
}

export interface Ciphers {
  readonly outgoing: Cipher
  readonly incoming: Cipher
}

export interface Initiation {
  readonly message: Uint8Array
  /** Takes the answer. @throws if it is not from one who knows the secret, or not to this message. */
  finish(answer: Uint8Array): Ciphers & { readonly payload: Uint8Array }
}

export interface Response {
  /** What the initiator sent along; it may be a repetition, so nothing may be done because of it. */
  readonly payload: Uint8Array
  answer(ephemeral: Uint8Array, payload: Uint8Array): Ciphers & { readonly message: Uint8Array }
}

/** `ephemeral`: 32 random bytes, never used again. `psk`: 32 bytes. */
export function initiation(
  psk: Uint8Array,
  prologue: Uint8Array,
  ephemeral: Uint8Array,
  payload: Uint8Array,
): Initiation {
  const state = symmetricState(prologue)
  const own = publicKey(ephemeral)
  state.mixKeyAndHash(psk)
  state.mixPublicKey(own)
  const message = concat(own, state.seal(payload))
  return {
    message,
    finish(answer) {
      const theirs = answer.subarray(0, keyBytes)
      state.mixPublicKey(theirs)
      state.mixKey(x25519.getSharedSecret(ephemeral, theirs))
      const opened = state.open(answer.subarray(keyBytes))
      const [outgoing, incoming] = state.split()
      return { payload: opened, outgoing, incoming }
    },
  }
}

/** @throws if the message was not made with this secret and prologue. */
export function response(psk: Uint8Array, prologue: Uint8Array, message: Uint8Array): Response {
  const state = symmetricState(prologue)
  const theirs = message.slice(0, keyBytes)
  state.mixKeyAndHash(psk)
  state.mixPublicKey(theirs)
  const payload = state.open(message.subarray(keyBytes))
  return {
    payload,
    answer(ephemeral, own) {
      const key = publicKey(ephemeral)
      state.mixPublicKey(key)
      state.mixKey(x25519.getSharedSecret(ephemeral, theirs))
      const answer = concat(key, state.seal(own))
      const [incoming, outgoing] = state.split()
      return { message: answer, outgoing, incoming }
    },
  }
}

/**
 * The ladder from the base point. The library's own way blinds with chance of the system, which a key that
 * is used once does not need, and which no simulation could repeat.
 */
function publicKey(ephemeral: Uint8Array): Uint8Array {
  return x25519.scalarMult(ephemeral, basePoint)
}

/** What both sides keep alike: a hash of all that was said, and a chain of keys (section 5.2). */
function symmetricState(prologue: Uint8Array) {
  let hash = sha256(concat(sha256(protocolName), prologue))
  let chain: Uint8Array = sha256(protocolName)
  let cipher: Cipher | undefined

  function derive(input: Uint8Array, count: number): Uint8Array[] {
    const bytes = hkdf(sha256, input, chain, nothing, keyBytes * count)
    const keys = Array.from({ length: count }, (_, index) =>
      bytes.slice(index * keyBytes, (index + 1) * keyBytes),
    )
    chain = keys[0] ?? nothing
    return keys
  }
  const mixHash = (bytes: Uint8Array): void => {
    hash = sha256(concat(hash, bytes))
  }
  const mixKey = (input: Uint8Array): void => {
    cipher = cipherOf(derive(input, 2)[1] ?? nothing)
  }
  const current = (): Cipher => {
    if (cipher === undefined) throw new Error('no key yet')
    return cipher
  }
  return {
    mixKey,
    mixKeyAndHash(psk: Uint8Array): void {
      const [, toHash, key] = derive(psk, 3)
      mixHash(toHash ?? nothing)
      cipher = cipherOf(key ?? nothing)
    },
    /** With a pre-shared key, ephemeral keys are mixed into the key too (section 9.2). */
    mixPublicKey(key: Uint8Array): void {
      mixHash(key)
      mixKey(key)
    },
    seal(plain: Uint8Array): Uint8Array {
      const sealed = current().seal(plain, hash)
      mixHash(sealed)
      return sealed
    },
    open(sealed: Uint8Array): Uint8Array {
      const plain = current().open(sealed, hash)
      mixHash(sealed)
      return plain
    },
    /** Keys for initiator to responder, and back. */
    split(): readonly [Cipher, Cipher] {
      const bytes = hkdf(sha256, nothing, chain, nothing, 2 * keyBytes)
      return [cipherOf(bytes.slice(0, keyBytes)), cipherOf(bytes.slice(keyBytes))]
    },
  }
}

// Far below the 2^64 of the standard: at a million frames a second it lasts nine years.
const framesMax = 2 ** 48

function cipherOf(key: Uint8Array): Cipher {
  let count = 0
  const nonce = new Uint8Array(12)
  const view = new DataView(nonce.buffer)
  function next(): Uint8Array {
    if (count >= framesMax) throw new Error('too many frames under one key')
    view.setUint32(4, count % 2 ** 32, true)
    view.setUint32(8, Math.floor(count / 2 ** 32), true)
    count += 1
    return nonce
  }
  return {
    seal: (plain, associated, target) =>
      chacha20poly1305(key, next(), associated).encrypt(plain, target),
    open: (sealed, associated) => chacha20poly1305(key, next(), associated).decrypt(sealed),
  }
}

function concat(left: Uint8Array, right: Uint8Array): Uint8Array {
  const whole = new Uint8Array(left.length + right.length)
  whole.set(left)
  whole.set(right, left.length)
  return whole
}
