export {
  type Admission,
  type ClientSessions,
  type CommandNumber,
  clientSessions,
  type SessionLimits,
  type SessionPicture,
} from './sessions.ts'
