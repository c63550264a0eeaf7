/**
 * The door through which the trial's customers come: the gateway's API as calls instead of HTTP, so that
 * whole journeys run in the simulator.
 */
import type { HoldfastNode } from 'holdfast'
import type { Runtime } from 'holdfast/runtime'
import { fixedEndpoints, procedure, service } from 'holdfast/services'
import { roundRobin } from 'holdfast/services/balancing'
import { type RpcClient, rpcClient } from 'holdfast/services/rpc'
import type { Placed, ShopApi } from '../gateway/shop-api.ts'
import type { OrderRequest, OrderView } from '../shared/contracts.ts'

const front = service('shop', {
  version: 1,
  procedures: {
    place: procedure<{ asked: OrderRequest; key: string }, Placed>(),
    read: procedure<{ orderId: string }, OrderView | null>({ idempotent: true }),
    restock: procedure<{ sku: string; quantity: number; key: string }, unknown>(),
    deposit: procedure<{ userId: string; amountCents: number; key: string }, unknown>(),
  },
})

export type Front = RpcClient<(typeof front)['procedures']>

/** Before the node starts. */
export function serveFront(node: HoldfastNode, api: ShopApi): void {
  node.serve(front, {
    place: ({ asked, key }, { signal }) => api.place(asked, key, signal),
    read: ({ orderId }) => api.read(orderId),
    restock: ({ key, ...delivery }) => api.restock(delivery, key),
    deposit: ({ key, ...payment }) => api.deposit(payment, key),
  })
}

/** No retries of its own: a customer asks again by himself, under the same key. */
export function frontClient(runtime: Runtime, addresses: readonly string[]): Front {
  const endpoints = addresses.map((address) => {
    return { id: address, address, weight: 100, instance: address, metadata: {} }
  })
  return rpcClient(runtime, front, {
    source: fixedEndpoints(endpoints),
    balancer: roundRobin(runtime.random),
    timeoutMs: 8_000,
    connectTimeoutMs: 1_000,
  })
}
