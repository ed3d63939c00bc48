/** What may be applied on a target, by whom, and when. */
import { z } from 'zod';
import { BY_HAND_ACTOR } from './apply.ts';
import { APPLICABLE_KINDS, type Change, type ChangeKind } from './change.ts';
import { maintenanceWindowSchema } from './maintenance-window.ts';
import { isScopedSetting } from './setting-scope.ts';

const bytes = z.number().int().positive();

/** manual: a person approves. auto: what fits the limits is approved by the policy. dry_run: nothing is ever sent. */
export const policyModes = ['manual', 'auto', 'dry_run'] as const;

/** What a regression leads to, see `revert`. */
export const revertModes = ['propose', 'perform'] as const;

const autoSchema = z
  .object({
    /** What may be approved without a person. */
    kinds: z.array(z.enum([...APPLICABLE_KINDS] as [ChangeKind, ...ChangeKind[]])).min(1),
    /** Largest disk need of one change by its estimate, bytes; a change whose need is not known does not fit. Null: any. */
    max_size_bytes: bytes.nullable().default(null),
    /** `schema.table` or `schema.*`; empty: all. */
    tables: z.array(z.string().min(3).max(200)).max(1000).default([]),
    /** Never these, whatever `tables` says. */
    except_tables: z.array(z.string().min(3).max(200)).max(1000).default([]),
    /** Changes applied by the policy in 24 hours at most. */
    max_changes_per_day: z.number().int().min(1).max(1000).default(5),
  })
  .strict();

export const applyPolicySchema = z
  .object({
    /** Unless somebody says otherwise, a target is production. */
    production: z.boolean().default(true),
    mode: z.enum(policyModes).default('manual'),
    /** Needed for the mode `auto`. */
    auto: autoSchema.nullable().default(null),
    /** Only an admin may set it: without it a production target is never changed without a person. */
    auto_in_production: z.boolean().default(false),
    /**
     * What happens to a change that was measured to harm. propose: its way back is proposed, and a person decides.
     * perform: the policy approves and applies it, in production only with `auto_in_production`.
     */
    revert: z.enum(revertModes).default('propose'),
    /** Changes begin only while one of them is open; empty: at any time. */
    windows: z.array(maintenanceWindowSchema).max(50).default([]),
    /**
     * Free disk that one change may count on, bytes: PostgreSQL does not tell how much there is. A change needs twice
     * its estimate. Null: not checked, which the plan says.
     */
    disk_budget_bytes: bytes.nullable().default(null),
    /** A standby that lags more, seconds of replay, holds changes off. */
    max_replica_lag_seconds: z.number().min(1).max(86_400).default(30),
    /** Changes at once on the server that the target is on. */
    max_applies_per_server: z.number().int().min(1).max(16).default(1),
    /** Who approved may not start the apply. */
    four_eyes: z.boolean().default(false),
    /** Days after which an approval that was not used, or advice that nobody decided on, expires. */
    expire_days: z.number().int().min(1).max(365).default(30),
    /** How blockers' statements are shown: constants replaced, not at all, or as they are. */
    blocker_queries: z.enum(['constants_replaced', 'hidden', 'as_they_are']).default('constants_replaced'),
    /** Our change gives way when another session has waited for it for so long, seconds. Null: never. */
    yield_after_seconds: z.number().int().min(1).max(3600).nullable().default(30),
  })
  .strict()
  .refine((policy) => policy.mode !== 'auto' || policy.auto !== null, {
    message: 'the mode auto needs its limits',
    path: ['auto'],
  })
  .refine((policy) => !(policy.mode === 'auto' && policy.four_eyes), {
    message: 'four eyes and a policy that approves by itself exclude each other',
    path: ['four_eyes'],
  })
  .refine((policy) => !(policy.revert === 'perform' && policy.four_eyes), {
    message: 'four eyes and a policy that takes changes back by itself exclude each other',
    path: ['revert'],
  });
export type ApplyPolicy = z.infer<typeof applyPolicySchema>;

/** A target's policy until somebody gives it one. */
export const defaultPolicy: ApplyPolicy = applyPolicySchema.parse({});

/** The table that a change works on; null for a setting. */
export function tableOf(change: Change): { schema: string; table: string } | null {
  if (change.kind === 'setting' || change.kind === 'finding' || isScopedSetting(change)) return null;
  return change.kind === 'index.create'
    ? { schema: change.index.schema, table: change.index.table }
    : { schema: change.schema, table: change.table };
}

/** A setting that only a restart brings into force. */
export function needsRestart(change: Change): boolean {
  return change.kind === 'setting' && change.context === 'postmaster';
}

/**
 * What the policy asks for and what the same policy keeps from ever happening, in words; null: nothing. Earlier versions
 * took such policies, so that one may be in a store.
 */
export function withoutEffect(policy: ApplyPolicy): string | null {
  if (!policy.production || policy.auto_in_production) return null;
  if (policy.mode === 'auto') return 'the mode auto';
  return policy.revert === 'perform' ? 'revert: perform' : null;
}

/**
 * Why the policy does not approve this by itself; null: it does.
 * @param size_bytes disk that the change takes by its estimate; null: not known.
 */
export function refusesAuto(
  policy: ApplyPolicy,
  change: Change,
  size_bytes: number | null,
): { code: string; message: string } | null {
  const { auto } = policy;
  if (policy.mode !== 'auto' || auto === null) {
    return { code: 'policy_manual', message: `The target's policy is ${policy.mode}: a person approves.` };
  }
  if (policy.production && !policy.auto_in_production) {
    return {
      code: 'policy_production',
      message: 'The target is production, and no admin has switched on changes without a person there.',
    };
  }
  if (!auto.kinds.includes(change.kind)) {
    return { code: 'policy_kind', message: `The policy does not approve ${change.kind} by itself.` };
  }
  if (auto.max_size_bytes !== null && change.kind.startsWith('index.') && change.kind !== 'index.drop') {
    if (size_bytes === null || size_bytes > auto.max_size_bytes) {
      return {
        code: 'policy_size',
        message: `It takes ${size_bytes === null ? 'an unknown amount of' : `${size_bytes} bytes of`} disk; the policy approves up to ${auto.max_size_bytes}.`,
      };
    }
  }
  const table = tableOf(change);
  const limited = auto.tables.length + auto.except_tables.length > 0;
  if (limited && (table === null || !isListed(auto, table))) {
    return { code: 'policy_table', message: 'Its table is not among those that the policy approves for.' };
  }
  return null;
}

/**
 * Why the policy does not take a harmful change back by itself; null: it does.
 * @param reverted who made the change, and whether that was a way back itself: two changes that both look harmful would
 * undo each other for ever.
 */
export function refusesRevert(
  policy: ApplyPolicy,
  change: Change,
  reverted: { actor: string; was_revert: boolean },
): { code: string; message: string } | null {
  if (policy.revert !== 'perform') {
    return { code: 'policy_revert', message: 'The policy proposes to take changes back: a person approves.' };
  }
  if (policy.production && !policy.auto_in_production) {
    return {
      code: 'policy_production',
      message: 'The target is production, and no admin has switched on changes without a person there.',
    };
  }
  if (!APPLICABLE_KINDS.has(change.kind)) {
    return { code: 'policy_kind', message: 'PgLuthier cannot take it back; a person must.' };
  }
  if (reverted.actor === BY_HAND_ACTOR) {
    return {
      code: 'policy_by_hand',
      message: 'A person made the change by hand, and decides on its way back.',
    };
  }
  return reverted.was_revert
    ? { code: 'policy_revert_again', message: 'It was taken back once already; a person decides.' }
    : null;
}

function isListed(
  { tables, except_tables }: { tables: string[]; except_tables: string[] },
  { schema, table }: { schema: string; table: string },
): boolean {
  const among = (list: string[]) => list.includes(`${schema}.${table}`) || list.includes(`${schema}.*`);
  return (tables.length === 0 || among(tables)) && !among(except_tables);
}

/** The scope of a stop of everything. */
export const ALL_TARGETS = '*';
