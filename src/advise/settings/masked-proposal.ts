/**
 * A role's own value keeps what is proposed for the server from the role: taken away (RESET) where what the role's
 * statements did, or what the planner says of them, shows that it is no better; left, with the reason, where it may be
 * meant. Right in any order: the role is no worse off while the server has the value of now.
 */
import type {
  Evidence,
  RecommendationDraft,
  RuleContext,
  RuleResult,
  SettingOverride,
  SettingRow,
} from '../../domain/index.ts';
import { computed, measured } from './facts.ts';
import { NEW_SESSIONS_ONLY } from './role-sessions.ts';
import { fileTimeWords, spillsByRole } from './spills.ts';
import { aboutMemory, parseSetting, showValue } from './units.ts';
import { askSettings, type SettingsAnswer } from './what-if.ts';
import { answerEvidence } from './what-if-evidence.ts';

/** Spills that take less of the time are no reason, as in settings/work-mem. */
const LEAST_SHARE_OF_TIME = 0.005;
/** Of the role's own time: with less of it planned, that no plan changes says nothing. */
const ENOUGH_OF_ROLE = 0.5;

interface Mask extends SettingOverride {
  role: string;
}

interface Proposed {
  rule: string;
  row: SettingRow;
  /** As ALTER SYSTEM takes it. */
  value: string;
}

interface Kept {
  code: string;
  reason: string;
}

interface Reset {
  why: string;
  level: Evidence['level'];
  evidence: Evidence[];
}

/** A RESET or a rejection for each role with a value of its own in this database or in all. */
export async function maskedProposals(context: RuleContext, proposed: Proposed): Promise<RuleResult> {
  const result: RuleResult = { recommendations: [], rejections: [], limits: [] };
  const masks = context.snapshot.setting_overrides.filter(
    (item): item is Mask => item.role !== null && item.name.toLowerCase() === proposed.row.name.toLowerCase(),
  );
  for (const mask of masks) {
    const several = masks.filter(({ role }) => role === mask.role).length > 1;
    const judged = several
      ? { code: 'several_values', reason: 'the role has a value in this database and one in all' }
      : await judge(context, proposed, mask);
    if ('code' in judged) {
      const candidate = `RESET ${mask.name} of ${whose(mask)}`;
      result.rejections.push({ rule: proposed.rule, candidate, key: keyOf(mask), ...judged });
    } else result.recommendations.push(draftOf(proposed, mask, judged));
  }
  return result;
}

const whose = ({ role, database }: Mask) =>
  `role ${role}${database === null ? '' : ` in database ${database}`}`;
const keyOf = (mask: Mask) => `reset ${mask.name} of ${whose(mask)}`;

async function judge(context: RuleContext, proposed: Proposed, mask: Mask): Promise<Kept | Reset> {
  const { row } = proposed;
  const own = parseSetting(mask.value, row);
  const then = parseSetting(proposed.value, row);
  if (own === null || then === null) {
    return { code: 'value_unknown', reason: `${mask.value} cannot be compared with ${proposed.value}` };
  }
  // The collecting role's own value is not what others would have without theirs.
  if (row.source === 'user' || row.source === 'database user') {
    return {
      code: 'value_unknown',
      reason: 'the server’s own value is hidden by one of the collecting role',
    };
  }
  const now = Number(row.setting);
  const spilled = row.name === 'work_mem';
  // Sessions in other databases lose it, too; what those do is not seen. More work_mem is what the budget counts for all.
  const unlike = row.source === 'database' || (own !== now && !spilled);
  if (mask.database === null && unlike && !isOnlyDatabase(context)) {
    return {
      code: 'other_databases',
      reason: 'it holds in all databases, and only this one’s statements are seen',
    };
  }
  return spilled
    ? bySpills(context, proposed, mask, { own, now, then })
    : byPlans(context, proposed, mask, own === now);
}

/** The database `postgres` is where people look after the server. */
function isOnlyDatabase({ snapshot }: RuleContext): boolean {
  const others = snapshot.instance?.databases.filter(
    ({ name }) => name !== snapshot.server.database && !['postgres', 'template0', 'template1'].includes(name),
  );
  return others?.length === 0;
}

function bySpills(
  context: RuleContext,
  { row, value }: Proposed,
  mask: Mask,
  { own, now, then }: Record<'own' | 'now' | 'then', number>,
): Kept | Reset {
  if (own > then) {
    return {
      code: 'deliberate',
      reason: `${mask.value} is more than the ${value} that is proposed for all: what the role sorts in it would spill`,
    };
  }
  if (own > now) {
    return {
      code: 'server_first',
      reason: `${mask.value} is more than the server has now: without it the role would spill until the server has ${value}`,
    };
  }
  const spill = spillsByRole(context).spilling.find(({ role }) => role === mask.role);
  if (!spill || spill.share_of_time < LEAST_SHARE_OF_TIME) {
    return {
      code: 'deliberate',
      reason: `nothing of the role spills with ${mask.value} at a cost: it loses nothing by it, and many sessions may be why`,
    };
  }
  const largest = spill.statements[0];
  return {
    why: `${spill.statements.length} statement(s) of ${mask.role}, ${(100 * spill.share_of_time).toFixed(1)} % of the time, spill with it up to ${aboutMemory(largest?.bytes_per_call ?? 0)} a call.`,
    level: 'measured',
    evidence: [
      measured(
        `spilled in a call of ${largest?.query.query_id} by ${mask.role}`,
        largest?.bytes_per_call ?? 0,
        'bytes',
        `pg_stat_statements.temp_blks_written over ${largest?.calls} calls${largest ? `; ${fileTimeWords(largest)}` : ''}`,
      ),
      computed(
        'worst-case memory added',
        0,
        'bytes',
        `the set is reckoned with every session at the server's work_mem (${showValue(row)} now, ${value} then); only what roles have beyond it comes on top`,
      ),
    ],
  };
}

async function byPlans(
  context: RuleContext,
  { row, value }: Proposed,
  mask: Mask,
  repeats: boolean,
): Promise<Kept | Reset> {
  const ask = (to: string) =>
    askSettings(
      context,
      { settings: { [row.name]: to } },
      { before: { settings: { [row.name]: mask.value } }, of_role: mask.role, reprices: false },
    );
  const then = await ask(value);
  if ('reason' in then) return { code: 'not_asked', reason: then.reason };
  const time = context.workload.queries
    .filter(({ users }) => users.includes(mask.role))
    .reduce((sum, query) => sum + query.share_of_time, 0);
  if (then.share_of_time < ENOUGH_OF_ROLE * time) {
    return {
      code: 'not_asked',
      reason: 'less than half of the time of the role’s statements could be planned',
    };
  }
  const plans = (answer: SettingsAnswer, to: string) =>
    answerEvidence(
      context,
      answer,
      `statements of ${mask.role} alone, with ${row.name} = ${mask.value} and ${to}`,
    );
  if (repeats) {
    return {
      why: `It repeats what the server has, and ${then.flips.length} of ${then.statements} planned statements of the role would have another plan with ${value}.`,
      level: 'simulated',
      evidence: plans(then, value),
    };
  }
  const now = await ask(showValue(row));
  if ('reason' in now) return { code: 'not_asked', reason: now.reason };
  const flips = new Set([...then.flips, ...now.flips].map(({ statement }) => statement.query.query_id));
  if (flips.size > 0) {
    return {
      code: 'deliberate',
      reason: `plans of the role depend on ${mask.value} (${[...flips].join(', ')}): somebody may have set it for them`,
    };
  }
  return {
    why: `None of the ${then.statements} planned statements of the role has another plan by it, neither than with ${showValue(row)} nor with ${value}.`,
    level: 'simulated',
    evidence: [...plans(now, showValue(row)), ...plans(then, value)],
  };
}

function draftOf(
  { rule, row, value }: Proposed,
  mask: Mask,
  { why, level, evidence }: Reset,
): RecommendationDraft {
  const shown = showValue(row);
  return {
    rule,
    change: {
      ...(mask.database === null
        ? { kind: 'role.setting' as const }
        : { kind: 'role.database.setting' as const, database: mask.database }),
      role: mask.role,
      name: row.name,
      value: shown,
      current_value: mask.value,
      previous: mask.value,
      reset: true,
    },
    key: keyOf(mask),
    title: `${row.name} of ${whose(mask)}: RESET ${mask.value}`,
    rationale:
      `The role's own ${row.name} keeps the ${value} that is proposed for the server from its sessions. ${why} ` +
      `Without it they have ${shown}, the server's or the database's of now, and ${value} once that is applied. ` +
      'What would change this advice: The value is there to keep the role apart from changes of the server; then dismiss this.',
    severity: 'low',
    evidence_level: level,
    confidence: 0.6,
    estimate: { cost_before: null, cost_after: null, size_bytes: null, write_overhead: null },
    affects: [],
    evidence: [
      measured('value of the role', mask.value, null, 'pg_db_role_setting'),
      measured('value without it, now', shown, null, `pg_settings: ${row.source}`),
      computed('value without it, once the proposal is applied', value, null, `as proposed by ${rule}`),
      ...evidence,
    ],
    risk: {
      locks: 'none',
      restart: false,
      reload: false,
      notes: [NEW_SESSIONS_ONLY],
    },
  };
}
