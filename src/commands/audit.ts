/** `pgluthier audit verify`: whether the log of decisions is whole. */
import type { Store } from '../store/index.ts';

export interface AuditVerdict {
  ok: boolean;
  text: string;
}

/**
 * Recomputes the chain.
 * @param expected the last hash as it was noted elsewhere: rows cut off the end leave no trace in the chain itself.
 */
export async function verifyAudit(audit: Store['audit'], expected?: string): Promise<AuditVerdict> {
  const { ok, rows, first_bad_id, last_hash } = await audit.verify();
  if (!ok) {
    return {
      ok: false,
      text: `The audit log is not whole: entry ${first_bad_id} was changed, or one before it is missing.\n`,
    };
  }
  if (expected !== undefined && expected !== last_hash && !(await audit.contains(expected))) {
    return {
      ok: false,
      text: `The audit log was cut: no entry has the hash ${expected}; the last of ${rows} has ${last_hash}.\n`,
    };
  }
  return {
    ok: true,
    text: `The audit log is whole: ${rows} entries, the last with hash ${last_hash}. Note it elsewhere, and give it to --expect next time.\n`,
  };
}
