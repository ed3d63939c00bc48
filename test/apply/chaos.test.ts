/**
 * kill -9 of the service, of the backends, and of the servers, at each call of the journal and in the middle of each
 * statement, for each kind; and again while recovery tidies up what that left. What recovery says at the end is what the
 * catalogs show. Each apply is played on one major, in turn, with one or two of the three victims; PGLUTHIER_CHAOS=full
 * plays each with all of them on all majors.
 */
import { writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { APPLICABLE_KINDS } from '../../src/domain/index.ts';
import { availableMajors, type EmbeddedServer, startEmbedded } from '../../src/embedded/index.ts';
import { chaosSettings } from './chaos/invariants.ts';
import type { Act, Victim } from './chaos/kill.ts';
import { type Point, pointsOf } from './chaos/points.ts';
import { type Played, playRound } from './chaos/round.ts';
import { type Subject, subjects } from './chaos/subjects.ts';

const majors = availableMajors().filter((major) => major >= 15);
const full = process.env.PGLUTHIER_CHAOS === 'full';
/** Applies that one pass makes at least. */
const LEAST_RUNS = 200;
/** Applies of one round on one server at most: so many sessions it bears, and so many settings there are. */
const AT_ONCE = 40;
/** Calls of the journal that recovery makes at most, of each method. */
const RECOVERY_ENTRIES = 2;

// Its own: they are killed, and log each statement.
let servers: EmbeddedServer[] = [];
beforeAll(async () => {
  servers = await Promise.all(
    majors.map((major) =>
      startEmbedded({ major, settings: chaosSettings, name: `chaos${major}`, light: 'disk' }),
    ),
  );
});
afterAll(async () => {
  await Promise.all(servers.map((server) => server.stop('immediate')));
  const file = process.env.PGLUTHIER_CHAOS_RESULT;
  if (file) await writeFile(file, JSON.stringify({ runs: played, violations: violated }));
});

let played = 0;
let violated = 0;

type Pair = [Subject, Point | null];

const everyPoint: Pair[] = subjects.flatMap((subject) =>
  pointsOf(subject.entries, full).map((point): Pair => [subject, point]),
);
const everyMiddle: Pair[] = subjects
  .filter((subject) => subject.hold('s').length > 0)
  .map((subject) => [subject, null]);
const tidied = subjects.filter(({ holdRecovery }) => holdRecovery !== undefined);
const everyPointOfRecovery: Pair[] = tidied.flatMap((subject) =>
  pointsOf(RECOVERY_ENTRIES, full).map((point): Pair => [subject, point]),
);
const everyMiddleOfRecovery: Pair[] = tidied.map((subject) => [subject, null]);

/** Half of the points for each victim, so that each is played by one at least; all of them with PGLUTHIER_CHAOS=full. */
const shares: Record<Victim, (number: number) => boolean> = {
  service: (number) => number % 2 === 0,
  backend: (number) => number % 2 === 1,
  server: (number) => number % 4 >= 2,
};
const shared = (victim: Victim, pairs: readonly Pair[]): Pair[] =>
  pairs.filter((_, number) => full || shares[victim](number));

/** [what is killed, in which act, where, at which points] */
const rounds: [Victim, Act, string, Pair[]][] = [
  ...(['service', 'backend', 'server'] as const).flatMap((victim): [Victim, Act, string, Pair[]][] => [
    [victim, 'apply', 'points', shared(victim, everyPoint)],
    [victim, 'apply', 'middle', everyMiddle],
  ]),
  ...(['service', 'server'] as const).flatMap((victim): [Victim, Act, string, Pair[]][] => [
    [victim, 'recover', 'points', shared(victim, everyPointOfRecovery)],
    [victim, 'recover', 'middle', everyMiddleOfRecovery],
  ]),
];

/** Spread over the servers, or each on all; in rounds that a server bears. */
function dealt(pairs: readonly Pair[], shift: number): Played[][] {
  const dealtOut = pairs.flatMap(([subject, point], number) =>
    servers.flatMap((server, position) =>
      full || (number + shift) % servers.length === position ? [{ server, subject, point }] : [],
    ),
  );
  const chunks = Math.ceil(dealtOut.length / (AT_ONCE * servers.length));
  return Array.from({ length: chunks }, (_, chunk) =>
    dealtOut.filter((_one, number) => Math.floor(number / servers.length) % chunks === chunk),
  );
}

it.each(rounds)(
  'killed: the %s, in the middle of %s (%s)',
  { timeout: 300_000 },
  async (victim, act, where, pairs) => {
    const shift = rounds.findIndex((round) => round[3] === pairs);
    const violations: string[] = [];
    for (const [chunk, played_] of dealt(pairs, shift).entries()) {
      const name = `${victim}_${act}_${where}_${chunk}`;
      const result = await playRound({ name, victim, act, played: played_ });
      played += result.runs;
      violations.push(...result.violations);
    }
    violated += violations.length;
    expect(violations).toEqual([]);
  },
);

it('were of every kind that can be applied', () => {
  const place = { dsn: '', schema: 's', number: 0 };
  expect(new Set(subjects.map((subject) => subject.change(place).kind))).toEqual(APPLICABLE_KINDS);
});

it(`were at least ${LEAST_RUNS} applies`, () => {
  expect(played).toBeGreaterThanOrEqual(LEAST_RUNS);
});
