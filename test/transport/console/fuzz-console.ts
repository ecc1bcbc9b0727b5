/**
 * Fuzz of the console's door: messages that are sound, damaged or mere bytes, in any order, to
 * sessions as pages open them. Nothing may throw, and what is not sound must close its session.
 *
 *     node --import tsx test/transport/console/fuzz-console.ts [inputs] [seed]
 */
import { pathToFileURL } from 'node:url';
import { SeededRng } from '../../../actors/runtime/ports/seeded-rng.ts';
import { encodeCbor } from '../../../transport/cbor.ts';
import { parsePageMessage } from '../../../transport/console/console-protocol.ts';
import { ConsoleSession } from '../../../transport/console/console-session.ts';
import { LiveViews } from '../../../transport/console/live-views.ts';
import { damage, type Loose, pick, type Random } from '../peer/mutations.ts';

const SOUND: readonly Loose[] = [
  { type: 'hello', version: 1, credentials: { type: 'none' } },
  { type: 'hello', version: 1, credentials: { type: 'token', token: 'x' } },
  { type: 'hello', version: 1, credentials: { type: 'password', user: 'a', password: 'b' } },
  { type: 'subscribe', id: 1, view: 'overview', args: {} },
  { type: 'subscribe', id: 2, view: 'actors', args: { node: 1 } },
  { type: 'unsubscribe', id: 1 },
  { type: 'ask', id: 3, what: 'keys', args: { pattern: '*', cursor: '0', database: 0 } },
  { type: 'ask', id: 4, what: '__proto__', args: {} },
];
/** A session that lives on is left for another one after so many inputs. */
const INPUTS_PER_SESSION = 50;
/** Views are gathered once a second: none in the time of a fuzz. */
const NEVER_MS = 3_600_000;

interface ConsoleFuzz {
  /** Inputs that were taken, and those that closed their session, by reason. */
  accepted: number;
  readonly refused: Record<string, number>;
  /** Messages that the sessions have told. */
  told: number;
  heapMbMax: number;
}

export async function fuzzConsole(inputs: number, seed: number): Promise<ConsoleFuzz> {
  const rng = new SeededRng(seed);
  const random: Random = () => rng.next();
  const report: ConsoleFuzz = { accepted: 0, refused: {}, told: 0, heapMbMax: 0 };
  const views = new LiveViews({ gather: () => Promise.resolve({}), everyMs: NEVER_MS });
  let session: ConsoleSession | undefined;
  let left = 0;
  for (let input = 0; input < inputs; input += 1) {
    if (session === undefined || left === 0) {
      session?.closed();
      session = open(views, report, () => {
        session = undefined;
      });
      left = INPUTS_PER_SESSION;
      if (random() < 0.9) session.received(encodeCbor(SOUND[0]));
    }
    left -= 1;
    const bytes = inputOf(random);
    const isSound = typeof parsePageMessage(bytes) !== 'string';
    if (isSound) report.accepted += 1;
    session?.received(bytes);
    if (!isSound && session !== undefined) throw new Error(`seed ${seed}: ${hex(bytes)} is taken`);
    if (input % 1_000 > 0) continue;
    await new Promise((resolve) => setImmediate(resolve));
    report.heapMbMax = Math.max(report.heapMbMax, process.memoryUsage().heapUsed / 2 ** 20);
  }
  session?.closed();
  return report;
}

function open(views: LiveViews, report: ConsoleFuzz, closed: () => void): ConsoleSession {
  const socket = {
    bufferedAmount: 0,
    send: () => {
      report.told += 1;
    },
    ping: () => undefined,
    close: (_code: number, reason: string) => {
      report.refused[reason] = (report.refused[reason] ?? 0) + 1;
      closed();
    },
    terminate: closed,
  };
  return new ConsoleSession(socket, {
    ...{ self: 1, clusterId: 'c0ffee', isOpen: true, views },
    nodes: () => [],
    identify: () => Promise.resolve({ user: 'default', role: 'admin' }),
    ask: (what) => Promise.reject(new Error(`there is no question "${what}"`)),
    nowMs: () => 0,
  });
}

function inputOf(random: Random): Uint8Array {
  const message = pick(random, SOUND);
  const kind = random();
  if (kind < 0.2) return encodeCbor(message);
  if (kind < 0.5) return encodeCbor(damage(random, message, pick(random, SOUND)));
  if (kind < 0.9) return damaged(random, encodeCbor(message));
  return Uint8Array.from({ length: Math.floor(random() * 64) }, () => Math.floor(random() * 256));
}

function damaged(random: Random, bytes: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(bytes);
  for (let times = 1 + Math.floor(random() * 3); times > 0; times -= 1) {
    copy[Math.floor(random() * copy.length)] = Math.floor(random() * 256);
  }
  return random() < 0.3 ? copy.subarray(0, Math.floor(random() * copy.length)) : copy;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const [inputs = '1000000', seed = '1'] = process.argv.slice(2);
  console.log(await fuzzConsole(Number(inputs), Number(seed)));
}
