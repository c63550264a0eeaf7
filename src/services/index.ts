export type { Endpoint, EndpointSource } from './endpoint.ts'
export { fixedEndpoints } from './endpoint.ts'
export { procedure, service } from './rpc/index.ts'
