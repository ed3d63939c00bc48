/**
 * A replica in a process of its own: `replica-process.ts <store dsn> <secret key, base64> <target dsn>`. It reads one
 * order a line from standard input, as JSON, starts each as soon as it comes, and answers each with a line.
 */
import { createInterface } from 'node:readline';
import {
  approveRecommendation,
  revokeApproval,
  startApply,
  startRestartBatch,
} from '../../src/pipeline/index.ts';
import { replica } from './replica.ts';

export interface Order {
  number: number;
  /** Of `batch` the hash is the batch's, and no recommendation is named. */
  act: 'approve' | 'revoke' | 'apply' | 'batch';
  target_id: string;
  recommendation_id: string;
  plan_hash: string;
}

const [storeDsn = '', key = '', targetDsn = ''] = process.argv.slice(2);
const { services, close } = await replica(storeDsn, Buffer.from(key, 'base64'), { targetDsn });
const say = (line: unknown) => process.stdout.write(`${JSON.stringify(line)}\n`);

async function obey({ act, target_id, recommendation_id, plan_hash }: Order): Promise<unknown> {
  const actor = `replica:${process.pid}`;
  switch (act) {
    case 'approve':
      return approveRecommendation(services, target_id, recommendation_id, plan_hash, actor);
    case 'revoke':
      return revokeApproval(services, target_id, recommendation_id, actor);
    case 'batch':
      return startRestartBatch(services, target_id, plan_hash, actor);
    case 'apply':
      return startApply(services, target_id, recommendation_id, actor);
  }
}

say({ ready: true });
const orders: Promise<void>[] = [];
for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line) as Order;
  orders.push(
    obey(order).then(
      () => {
        say({ number: order.number, code: 'ok' });
      },
      (error: { code?: string }) => {
        say({ number: order.number, code: error.code ?? String(error) });
      },
    ),
  );
}
await Promise.all(orders);
await services.background.idle();
await close();
