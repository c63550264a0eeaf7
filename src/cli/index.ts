export type { ServiceContext, ServiceReady } from './service-process.ts'
export { serviceProcess } from './service-process.ts'
export type { DriverNames, Plan, ServicePlan } from './up/plan.ts'
