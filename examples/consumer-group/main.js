/**
 * A pipeline over two streams with consumer groups: orders are priced by consumers at all nodes,
 * priced orders are booked by others; what a consumer leaves is claimed. `node main.js ORDERS`
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { createClient } from 'redis';

const ports = process.env.HOLO_PORTS.split(',').map(Number);
const orders = Number(process.argv[2]);
const run = Date.now();
const [placed, priced] = [`{${run}}:placed`, `{${run}}:priced`];
const connect = (i) =>
  createClient({ url: `redis://127.0.0.1:${ports[i % ports.length]}` }).connect();
const booked = new Map();
let isOver = false;

const admin = await connect(0);
for (const stream of [placed, priced]) {
  await admin.xGroupCreate(stream, 'workers', '$', { MKSTREAM: true });
}

async function consume(i, stream, handle) {
  const client = await connect(i);
  while (!isOver) {
    const options = { COUNT: 10, BLOCK: 200 };
    const source = { key: stream, id: '>' };
    const read = await client.xReadGroup('workers', `c${i}`, source, options);
    for (const { id, message } of read?.[0]?.messages ?? []) await handle(client, id, message);
  }
  client.destroy();
}

/** Prices an order and acknowledges it in one transaction. */
async function price(client, id, { order, quantity }) {
  await client
    .multi()
    .xAdd(priced, '*', { order, amount: String(Number(quantity) * 3) })
    .xAck(placed, 'workers', id)
    .exec();
}

/** Books an order; one in ten is left to be claimed by another consumer. */
async function book(client, id, { order, amount }) {
  if (Number(order) % 10 === 3 && !booked.has(`left ${order}`)) {
    booked.set(`left ${order}`, 0);
    return;
  }
  if (Number(amount) !== (Number(order) % 7) * 3) throw new Error(`order ${order} costs ${amount}`);
  // An entry may come twice, if its consumer was slow: the acknowledgement counts once.
  if ((await client.xAck(priced, 'workers', id)) === 0) return;
  booked.set(order, (booked.get(order) ?? 0) + 1);
}

async function claim() {
  const client = await connect(1);
  while (!isOver) {
    const { messages } = await client.xAutoClaim(priced, 'workers', 'claimer', 300, '0-0', {
      COUNT: 50,
    });
    for (const { id, message } of messages) await book(client, id, message);
    await sleep(50);
  }
  client.destroy();
}

const startedMs = Date.now();
const work = [0, 1, 2].flatMap((i) => [consume(i, placed, price), consume(i + 3, priced, book)]);
work.push(claim());
for (let from = 0; from < orders; from += 100) {
  const some = Array.from({ length: Math.min(100, orders - from) }, (_, i) => from + i);
  await Promise.all(
    some.map((n) => admin.xAdd(placed, '*', { order: String(n), quantity: String(n % 7) })),
  );
}
const left = Math.floor((orders + 6) / 10);
while (booked.size < orders + left && Date.now() - startedMs < 120_000) {
  await sleep(20);
}
isOver = true;
await Promise.all(work);
const pending = [await admin.xPending(placed, 'workers'), await admin.xPending(priced, 'workers')];
await admin.del([placed, priced]);
admin.destroy();
const times = [...booked].filter(([order]) => !order.startsWith('left')).map(([, count]) => count);
const repeated = times.filter((count) => count !== 1).length;
const waiting = pending.reduce((sum, each) => sum + each.pending, 0);
const tookMs = Date.now() - startedMs;
console.log(JSON.stringify({ booked: times.length, left, repeated, waiting, tookMs }));
process.exit(times.length === orders && repeated === 0 && waiting === 0 ? 0 : 1);
