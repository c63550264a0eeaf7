export { type ClusterOptions, type ClusterStores, cluster, clusterStores } from './cluster.ts'
export type { ClusterSecret } from './door-network.ts'
export { type ClusterMember, type ClusterMemberOptions, clusterMember } from './member.ts'
export {
  type ClusterOperator,
  clusterOperator,
  type MemberReport,
  type MemberStatus,
} from './operator.ts'
