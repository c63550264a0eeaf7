export type { CallOptions, ClientLimits, RpcClient, RpcClientOptions } from './client.ts'
export { rpcClient } from './client.ts'
export type { Codec } from './codec.ts'
export { jsonCodec } from './codec.ts'
export type { Keepalive } from './link.ts'
export type { CallHistory, RecentCallsOptions } from './recent-calls.ts'
export { recentCalls } from './recent-calls.ts'
export type { Headers } from './request.ts'
export type { RetryBudget, RetryPolicy } from './retry.ts'
export {
  EndpointUnreachableError,
  OverloadedError,
  RpcApplicationError,
  RpcProtocolError,
  RpcRemoteError,
  UnimplementedError,
} from './rpc-error.ts'
export type { DrainResult, Handlers, RpcServer, RpcServerOptions, ServerLimits } from './server.ts'
export { rpcServer } from './server.ts'
export type { RpcCall } from './server-call.ts'
export type {
  InputOf,
  OutputOf,
  Procedure,
  ProcedureOptions,
  Procedures,
  Service,
  ServiceOptions,
} from './service.ts'
export { procedure, service } from './service.ts'
