/** The sets that other advisors chose (peers.json), built on the same server and judged by the same statements. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type pg from 'pg';
import { quoteIdentifier, quoteQualified } from '../src/domain/index.ts';
import { planCosts, withoutIndexes } from './built/index.ts';

interface PeersFile {
  results: {
    algorithm: string;
    parameters: { budget_MB?: number; max_indexes?: number };
    indexes: string[];
  }[];
  /** Of some only the number of indexes is known. */
  per_query_tools: { tool: string; indexes?: string[] | number }[];
}

/** One set of indexes, by the names that they were built under. */
interface PeerSet {
  name: string;
  indexes: string[];
}

/** A set with what it really takes and costs. */
export interface JudgedPeer extends PeerSet {
  bytes: number;
  cost: number;
}

/** `orders.o_custkey,orders.o_orderdate` or `orders(o_custkey)` as table and columns. */
function columnsOf(text: string): { table: string; columns: string[] } {
  const called = /^(\w+)\(([^)]+)\)$/.exec(text);
  if (called) return { table: called[1] ?? '', columns: (called[2] ?? '').split(/, */) };
  const parts = text.split(',').map((part) => part.split('.'));
  return { table: parts[0]?.[0] ?? '', columns: parts.map((part) => part[1] ?? '') };
}

/** Names by what is indexed: the same index in two sets is built once. */
const nameOf = (text: string) => {
  const { table, columns } = columnsOf(text);
  return `peer_${table}_${columns.join('_')}`.slice(0, 63);
};

/** All different sets whose indexes the file lists. */
async function peerSets(directory: string): Promise<{ sets: PeerSet[]; indexes: Map<string, string> }> {
  const file = JSON.parse(await readFile(join(directory, 'peers.json'), 'utf8')) as PeersFile;
  const listed = [
    ...file.results.map(({ algorithm, parameters, indexes }) => ({
      name: `${algorithm}, ${parameters.budget_MB === undefined ? `${parameters.max_indexes} indexes` : `${parameters.budget_MB} MB`}`,
      indexes,
    })),
    ...file.per_query_tools.map(({ tool, indexes }) => ({
      name: tool.split(' ')[0] ?? tool,
      indexes: Array.isArray(indexes) ? indexes : [],
    })),
  ];
  const indexes = new Map<string, string>();
  const sets = new Map<string, PeerSet>();
  for (const set of listed) {
    if (set.indexes.length === 0) continue;
    for (const index of set.indexes) indexes.set(nameOf(index), index);
    const names = [...new Set(set.indexes.map(nameOf))].sort();
    const same = names.join(' ');
    if (!sets.has(same)) sets.set(same, { name: set.name, indexes: names });
  }
  return { sets: [...sets.values()], indexes };
}

/** Builds every index of the sets once and judges each set with the others' hidden; all are left hidden. */
export async function judgePeers(
  client: pg.Client,
  directory: string,
  statements: readonly { name: string; text: string }[],
): Promise<JudgedPeer[]> {
  const { sets, indexes } = await peerSets(directory);
  const bytes = new Map<string, number>();
  for (const [name, text] of indexes) {
    const { table, columns } = columnsOf(text);
    await client.query(
      `CREATE INDEX ${quoteIdentifier(name)} ON ${quoteQualified('public', table)} (${columns.map(quoteIdentifier).join(', ')})`,
    );
    const { rows } = await client.query<{ bytes: number }>(
      'SELECT pg_relation_size($1::regclass)::float8 AS bytes',
      [quoteQualified('public', name)],
    );
    bytes.set(name, rows[0]?.bytes ?? 0);
  }
  const judged: JudgedPeer[] = [];
  for (const set of sets) {
    const costs = await onlyWith(client, set, [...indexes.keys()], () => planCosts(client, statements));
    judged.push({
      ...set,
      bytes: set.indexes.reduce((sum, name) => sum + (bytes.get(name) ?? 0), 0),
      cost: [...costs.values()].reduce((sum, cost) => sum + cost, 0),
    });
  }
  return judged.toSorted((a, b) => a.bytes - b.bytes);
}

/** Does the work with one set's indexes, all other peers' hidden. */
export function onlyWith<T>(
  client: pg.Client,
  set: PeerSet,
  all: readonly string[],
  work: () => Promise<T>,
): Promise<T> {
  const kept = new Set(set.indexes);
  return withoutIndexes(
    client,
    all.filter((name) => !kept.has(name)),
    work,
  );
}

/** The cheapest set that takes no more bytes than so many. */
export function bestPeer(judged: readonly JudgedPeer[], most: number): JudgedPeer | undefined {
  return judged
    .filter(({ bytes }) => bytes <= most)
    .reduce<JudgedPeer | undefined>(
      (best, peer) => (best === undefined || peer.cost < best.cost ? peer : best),
      undefined,
    );
}
