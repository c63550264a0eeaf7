/**
 * What a supervised process and its supervisor say to each other over the channel between parent and
 * child. If the channel closes, the supervisor is dead and the child drains and leaves.
 */
export type FromChild =
  | { readonly type: 'ready'; readonly httpAddress?: string }
  | { readonly type: 'snapshots'; readonly request: number; readonly sections: Sections }

export type ToChild = { readonly type: 'snapshot'; readonly request: number }

/** Snapshots by section, as observability published them. */
export type Sections = Readonly<Record<string, unknown>>
