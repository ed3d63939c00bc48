/** A way in which the target is not what was approved, or why this change is refused on it. */
export interface Drift {
  /** Stable, snake_case. */
  code: string;
  message: string;
}
