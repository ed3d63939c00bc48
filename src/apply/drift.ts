/** A way in which the target is not what was approved, or why this change is refused on it. */
export interface Drift {
  /** Stable, snake_case. */
  code: string;
  message: string;
}

/** What a kind's own check found; `table_oid`: whose users can be in the way. */
export interface Checked {
  drift: Drift[];
  table_oid: number | null;
  /** Further tables that it works on. */
  more_oids?: number[];
}
