import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { reducePlan } from '../../../src/advise/plans/reduce.ts';
import { type PlanTree, planTreeSchema } from '../../../src/domain/index.ts';
import { renderPlan } from '../../../src/report/index.ts';
import { ofOwnTables } from '../../support/own-tables.ts';
import { testServer } from '../../support/servers.ts';
import { indexes, majors, schema, statements } from './shop.ts';

/** Everything that would cut is off. */
const WHOLE = { lines: Number.POSITIVE_INFINITY, line_length: Number.POSITIVE_INFINITY };

interface Explained {
  'Node Type': string;
  'Total Cost': number;
  'Startup Cost': number;
  'Plan Rows': number;
  'Plan Width': number;
  Plans?: Explained[];
}

const flat = (node: Explained): Explained[] => [node, ...(node.Plans ?? []).flatMap(flat)];
const flatTree = (node: PlanTree): PlanTree[] => [node, ...node.children.flatMap(flatTree)];

describe.each(majors)('PostgreSQL %i', (major) => {
  let client: pg.Client;
  let drop: () => Promise<void>;

  beforeAll(async () => {
    const server = await testServer({ major });
    const database = await server.createDatabase({ sql: schema });
    drop = () => database.drop();
    client = new pg.Client({ connectionString: database.dsn });
    await client.connect();
    await client.query(await ofOwnTables(client, 'VACUUM ANALYZE'));
  });

  afterAll(async () => {
    await client?.end();
    await drop?.();
  });

  /** What the server says in JSON and in text, of the same statement. */
  async function explained(sql: string): Promise<{ json: unknown; text: string[] }> {
    const json = await client.query(`EXPLAIN (FORMAT JSON) ${sql}`);
    const text = await client.query(`EXPLAIN ${sql}`);
    return {
      json: json.rows[0]['QUERY PLAN'],
      text: text.rows
        .map((row) => row['QUERY PLAN'])
        .filter((line) => !/^JIT:|^ {2}(Functions|Options):/.test(line)),
    };
  }

  const variants = {
    'without indexes': '',
    'with indexes': indexes,
    'with every path but the usual ones':
      'SET enable_hashjoin = off; SET enable_sort = off; SET enable_seqscan = off; SET max_parallel_workers_per_gather = 0',
    'in parallel':
      'RESET ALL; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET enable_partitionwise_join = on; SET enable_partitionwise_aggregate = on',
  };

  test.each(Object.entries(variants))('%s: the text is the server’s own, line by line', async (_, sql) => {
    await client.query(sql);
    for (const [name, statement] of Object.entries(statements)) {
      const { json, text } = await explained(statement);
      const tree = reducePlan(json);
      expect.soft(renderPlan(tree, WHOLE), name).toEqual(text);
      expect(planTreeSchema.parse(tree)).toEqual(tree);
      const nodes = flat((json as { Plan: Explained }[])[0]?.Plan as Explained);
      expect(
        flatTree(tree).map((node) => [
          node.node_type,
          node.startup_cost,
          node.total_cost,
          node.rows,
          node.width,
        ]),
      ).toEqual(
        nodes.map((node) => [
          node['Node Type'],
          node['Startup Cost'],
          node['Total Cost'],
          node['Plan Rows'],
          node['Plan Width'],
        ]),
      );
    }
  });
});
