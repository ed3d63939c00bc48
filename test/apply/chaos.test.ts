/**
 * kill -9 of the service, of the backend, and of the server, at each call of the journal and in the middle of each
 * statement, for each kind: what recovery says is what the catalogs show. Each round takes one major;
 * PGLUTHIER_CHAOS=full plays each on all of them.
 */
import { writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { availableMajors, type EmbeddedServer, startEmbedded } from '../../src/embedded/index.ts';
import { chaosSettings } from './chaos/invariants.ts';
import { playRound, rounds, type Victim } from './chaos/round.ts';

const majors = availableMajors().filter((major) => major >= 15);
const full = process.env.PGLUTHIER_CHAOS === 'full';
const victims: Victim[] = ['service', 'backend', 'server'];
/** Applies that one pass over all rounds and victims makes at least. */
const LEAST_RUNS = 200;

// Its own: they are killed, and log each statement.
let servers: EmbeddedServer[] = [];
beforeAll(async () => {
  servers = await Promise.all(
    majors.map((major) => startEmbedded({ major, settings: chaosSettings, name: `chaos${major}` })),
  );
});
afterAll(async () => {
  await Promise.all(servers.map((server) => server.stop('immediate')));
  const file = process.env.PGLUTHIER_CHAOS_RESULT;
  if (file) await writeFile(file, JSON.stringify({ runs: played, violations: violated }));
});

let played = 0;
let violated = 0;

describe.each(victims)('killed: the %s', (victim) => {
  it('leaves nothing that is not told', { timeout: 300_000 }, async () => {
    const found = await Promise.all(
      servers.map(async (server, position) => {
        const violations: string[] = [];
        for (const [number, round] of rounds.entries()) {
          if (!full && (number + victims.indexOf(victim)) % servers.length !== position) continue;
          const result = await playRound(server, victim, round);
          played += result.runs;
          violations.push(...result.violations);
        }
        return violations;
      }),
    );
    violated += found.flat().length;
    expect(found.flat()).toEqual([]);
  });
});

it(`were at least ${LEAST_RUNS} applies`, () => {
  expect(played).toBeGreaterThanOrEqual(LEAST_RUNS);
});
