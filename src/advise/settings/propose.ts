/** From a wanted value to a recommendation: legality, nearness, who set the present value, what masks a change. */
import type {
  Evidence,
  Limit,
  RecommendationDraft,
  Rejection,
  RuleContext,
  RuleResult,
  Severity,
} from '../../domain/index.ts';
import { setting } from './facts.ts';
import { formatMemory, memoryUnitBytes, showValue } from './units.ts';

export interface Proposal {
  rule: string;
  name: string;
  /** Bytes for memory settings; the number itself for others. */
  value: number;
  formula: string;
  why: string;
  severity: Severity;
  confidence: number;
  evidence: Evidence[];
  /** Proposed only when the present value is below (or above) the wanted one. */
  direction: 'raise' | 'lower' | 'either';
  /** Observed on this target that the present value is wrong: then an operator's own value is questioned too. */
  observed: boolean;
}

/** Nearer than this share, a change is not worth a person's time. */
const TOLERANCE = 0.25;

/** How settings change where nobody may ALTER SYSTEM. */
const dialects: Record<string, string> = {
  rds: 'the parameter group',
  aurora: 'the cluster parameter group',
  cloudsql: 'the database flags (gcloud replaces the whole list)',
  alloydb: 'the database flags',
  azure: 'the server parameters',
  supabase: "the service's CLI",
  neon: 'ALTER ROLE or ALTER DATABASE',
};

const nothing: RuleResult = { recommendations: [], rejections: [], limits: [] };

/** A result with one limit. */
export function limited(limit: Limit): RuleResult {
  return { ...nothing, limits: [limit] };
}

/** The recommendation, or the rejection with its reason. */
export function propose(context: RuleContext, proposal: Proposal): RuleResult {
  const row = setting(context, proposal.name);
  const reject = (code: string, reason: string): RuleResult => {
    const rejection: Rejection = { rule: proposal.rule, candidate: proposal.name, code, reason };
    return { ...nothing, rejections: [rejection] };
  };
  if (!row) {
    return limited({
      scope: proposal.rule,
      code: 'setting_not_visible',
      message: `${proposal.name} is not visible to this role.`,
      remedy: 'GRANT pg_read_all_settings to the role.',
    });
  }
  const unit = memoryUnitBytes(row.unit);
  const inUnit = unit === null ? proposal.value : Math.round(proposal.value / unit);
  const legal = Math.min(Number(row.max_val ?? inUnit), Math.max(Number(row.min_val ?? inUnit), inUnit));
  const present = Number(row.setting);
  const text = unit === null ? String(legal) : formatMemory(legal * unit);
  const shown = showValue(row);
  if (Math.abs(present - legal) <= TOLERANCE * Math.max(Math.abs(legal), 1e-9)) {
    return reject('close_enough', `${shown} is near the ${text} that it would be`);
  }
  if (proposal.direction === 'raise' && present > legal) {
    return reject(
      'larger_already',
      `${shown} is more than the ${text} that it would be; nothing speaks against it`,
    );
  }
  if (proposal.direction === 'lower' && present < legal) {
    return reject(
      'smaller_already',
      `${shown} is less than the ${text} that it would be; nothing speaks against it`,
    );
  }
  const setByOperator =
    !['default', 'override', 'session'].includes(row.source) && row.setting !== row.boot_val;
  if (setByOperator && !proposal.observed) {
    return reject(
      'set_by_operator',
      `${shown} was set on purpose (${row.source}); by formula it would be ${text}, and nothing observed asks for it`,
    );
  }
  return { ...nothing, recommendations: [draft(context, proposal, row, text, shown)] };
}

function draft(
  context: RuleContext,
  proposal: Proposal,
  row: NonNullable<ReturnType<typeof setting>>,
  text: string,
  shown: string,
): RecommendationDraft {
  const restart = row.context === 'postmaster';
  const masks = context.snapshot.setting_overrides.filter((override) => override.name === proposal.name);
  const service = context.snapshot.server.managed_service;
  const where =
    service === null
      ? ''
      : ` On ${service} it is changed through ${dialects[service] ?? "the service's own console"}.`;
  const masked = masks.map(
    (mask) =>
      `${mask.value} is set for ${[mask.role && `role ${mask.role}`, mask.database && `database ${mask.database}`].filter(Boolean).join(' in ')} and stays in force there`,
  );
  return {
    rule: proposal.rule,
    change:
      service === null
        ? { kind: 'setting', name: proposal.name, value: text, current_value: shown, context: row.context }
        : { kind: 'finding' },
    key: `setting ${proposal.name}`,
    title: `${proposal.name}: ${shown} → ${text}`,
    rationale: `${proposal.why} It is ${shown} now (${row.source === 'default' ? 'the built-in default' : row.source}).${where}`,
    severity: proposal.severity,
    evidence_level: proposal.observed ? 'measured' : 'estimated',
    confidence: proposal.confidence,
    estimate: { cost_before: null, cost_after: null, size_bytes: null, write_overhead: null },
    affects: [],
    evidence: [
      {
        name: 'proposed value',
        value: text,
        unit: null,
        source: 'formula',
        level: 'estimated',
        formula: proposal.formula,
      },
      {
        name: 'present value',
        value: shown,
        unit: null,
        source: `pg_settings (${row.source}${row.sourcefile ? `, ${row.sourcefile}` : ''})`,
        level: 'measured',
        formula: null,
      },
      ...proposal.evidence,
    ],
    risk: {
      locks: 'none',
      restart,
      reload: !restart,
      notes: [
        restart ? 'Comes into force at the next restart of the server.' : 'A reload brings it into force.',
        ...masked,
      ],
    },
  };
}
