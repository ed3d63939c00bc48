/** The shape that health checks share: what was found, each with its object, becomes a rule's findings. */
import type { Evidence, Limit, Rejection, Rule, RuleContext, Severity } from '../../domain/index.ts';
import { findingDraft } from './finding.ts';

export interface Found {
  /** What it is about: with the rule's name the key by which a DBA suppresses it. No number that drifts, no pid. */
  object: string;
  title: string;
  rationale: string;
  severity: Severity;
  evidence: Evidence[];
  /** What to do: statements to run by hand, and what to mind. */
  remedy: string[];
  level?: Evidence['level'];
  confidence?: number;
  /** What a remedy in the configuration needs; absent: neither. */
  needs?: 'reload' | 'restart';
  /** Keys of other rules' recommendations: where all of them are made, this one says nothing new and goes. */
  yields_to?: string[];
}

export interface Seen {
  found?: Found[];
  rejections?: Omit<Rejection, 'rule'>[];
  limits?: Omit<Limit, 'scope'>[];
}

/** A health rule: `health/<name>`, whose doc page is docs/health/<name>.md. */
export function healthRule(
  name: string,
  title: string,
  description: string,
  look: (context: RuleContext) => Seen,
): Rule {
  const id = `health/${name}`;
  return {
    id,
    area: 'health',
    title,
    description,
    evaluate: (context) => {
      const { found: all = [], rejections = [], limits = [] } = look(context);
      const found = onePerObject(all);
      const keyOf = (object: string) => `finding ${name} ${object}`;
      return {
        yields: new Map(
          found.flatMap(({ object, yields_to }) => (yields_to?.length ? [[keyOf(object), yields_to]] : [])),
        ),
        recommendations: found.map(({ object, remedy, needs, yields_to: _, ...rest }) =>
          findingDraft({
            ...rest,
            rule: id,
            key: keyOf(object),
            restart: needs === 'restart',
            reload: needs === 'reload',
            notes: remedy,
          }),
        ),
        rejections: rejections.map((rejection) => ({ rule: id, ...rejection })),
        limits: limits.map((limit) => ({ scope: id, ...limit })),
      };
    },
  };
}

const GRAVEST: readonly Severity[] = ['critical', 'high', 'medium', 'low', 'info'];
const EVIDENCE_OF_OTHERS = 10;

/**
 * The key is the finding's identity, so one object has one finding: two sessions of the same application that block
 * others, two standbys of one name. The gravest speaks, the others are counted and are evidence.
 */
function onePerObject(all: readonly Found[]): Found[] {
  const groups = new Map<string, Found[]>();
  for (const one of all) groups.set(one.object, [...(groups.get(one.object) ?? []), one]);
  return [...groups.values()].flatMap((group) => {
    const [first, ...others] = group.toSorted(
      (a, b) => GRAVEST.indexOf(a.severity) - GRAVEST.indexOf(b.severity),
    );
    if (!first || others.length === 0) return first ? [first] : [];
    return [
      {
        ...first,
        rationale: `${first.rationale} ${others.length} more like it were seen: ${others
          .slice(0, 3)
          .map(({ title }) => title)
          .join('; ')}${others.length > 3 ? '; …' : ''}.`,
        evidence: [
          ...first.evidence,
          ...others.flatMap(({ evidence }) => evidence).slice(0, EVIDENCE_OF_OTHERS),
        ],
        // Only where each of them is said elsewhere.
        yields_to: group.every(({ yields_to }) => yields_to?.length)
          ? group.flatMap(({ yields_to }) => yields_to ?? [])
          : [],
      },
    ];
  });
}

/** A noun that the snapshot does not hold: a limit of that noun, or an older version that did not read it. */
export function unseen(what: string): Seen {
  return {
    limits: [
      {
        code: 'not_collected',
        message: `${what} could not be seen in this snapshot: this check was not made.`,
        remedy: 'See the limits of the snapshot; collect anew with this version.',
      },
    ],
  };
}

/** Whether the snapshot says of a noun that it was not, or not wholly, read: its rows being absent means nothing then. */
export function wasRead({ snapshot }: RuleContext, ...nouns: string[]): boolean {
  return !snapshot.limits.some(({ scope }) => nouns.includes(scope));
}
