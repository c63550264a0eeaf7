/**
 * Drives the shop open-loop: orders are sent at their time whether or not earlier ones were answered, as
 * customers do, and latency counts from the time an order should have left. At most `concurrency` are
 * under way; when they are, the next ones wait and their waiting counts.
 *
 *   npm run shop:load -- --url http://127.0.0.1:8080 --orders 2000 --concurrency 50 [--rate 200]
 */
import { randomUUID } from 'node:crypto'
import { parseArgs } from 'node:util'
import { skus, users } from '../shared/catalog.ts'
import { type Counts, loadReport, progress } from './report.ts'
import { shopClient } from './shop-client.ts'

const { values } = parseArgs({
  options: {
    url: { type: 'string', default: 'http://127.0.0.1:8080' },
    orders: { type: 'string', default: '2000' },
    concurrency: { type: 'string', default: '50' },
    rate: { type: 'string', default: '200' },
    'end-within-s': { type: 'string', default: '120' },
  },
})
const total = Number(values.orders)
const concurrency = Number(values.concurrency)
const rate = Number(values.rate)
const client = shopClient(values.url)

const counts: Counts = { sent: 0, accepted: 0, confirmed: 0, rejected: 0, refused: 0, retried: 0 }
const acceptMs: number[] = []
const endMs: number[] = []
const reasons = new Map<string, number>()
const run = randomUUID().slice(0, 8)
const startedAt = performance.now()
const endBy = startedAt + (total / rate) * 1_000 + Number(values['end-within-s']) * 1_000

async function placeAndFollow(index: number): Promise<void> {
  const dueAt = startedAt + (index / rate) * 1_000
  const order = {
    userId: users[index % users.length] ?? 'u1',
    items: [{ sku: skus[(index * 7) % skus.length] ?? 'sku-001', quantity: 1 + (index % 2) }],
  }
  counts.sent += 1
  const placed = await client.place(order, `${run}-${index}`, endBy, () => {
    counts.retried += 1
  })
  if (placed === undefined) {
    counts.refused += 1
    return
  }
  counts.accepted += 1
  acceptMs.push(performance.now() - dueAt)
  followers.push(follow(placed, dueAt))
}

async function follow(orderId: string, dueAt: number): Promise<void> {
  const view = await client.untilEnded(orderId, endBy)
  if (view === undefined) return
  endMs.push(performance.now() - dueAt)
  counts[view.status === 'confirmed' ? 'confirmed' : 'rejected'] += 1
  if (view.reason !== undefined) reasons.set(view.reason, (reasons.get(view.reason) ?? 0) + 1)
}

const followers: Promise<void>[] = []
const stopProgress = progress(total, counts)
let next = 0
async function sender(): Promise<void> {
  while (next < total) {
    const index = next++
    const waitMs = startedAt + (index / rate) * 1_000 - performance.now()
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs))
    await placeAndFollow(index)
  }
}
await Promise.all(Array.from({ length: concurrency }, sender))
await Promise.all(followers)
stopProgress()

const invariants = await client.invariants(endBy + 30_000)
const good = loadReport({ counts, acceptMs, endMs, reasons, invariants })
process.exitCode = good ? 0 : 1
