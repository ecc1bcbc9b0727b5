/**
 * Messages to the actors of a store and to their clients are data: each is copied as on its way to
 * another thread, and a run decides the same. Addresses of actors are not copied.
 */
import { afterEach, expect, test, vi } from 'vitest';
import { Cell } from '../../actors/runtime/cells/cell.ts';
import { UnitUnderWay } from '../../transport/resp/connection/unit-under-way.ts';
import { simulate } from './cluster.ts';

/** As `structuredClone` does it, but it copies only the bytes in view, and takes plain data alone. */
function clone(value: unknown, path: string): unknown {
  if (typeof value === 'function' || typeof value === 'symbol') {
    throw new TypeError(`${path}: code`);
  }
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Uint8Array) return Uint8Array.from(value);
  if (ArrayBuffer.isView(value)) return structuredClone(value);
  if (value instanceof Map) return new Map(clone([...value], path) as [unknown, unknown][]);
  if (Array.isArray(value)) return value.map((each, i) => clone(each, `${path}.${i}`));
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) {
    throw new TypeError(`${path}: a ${value.constructor.name}`);
  }
  const entries = Object.entries(value);
  return Object.fromEntries(entries.map(([name, each]) => [name, clone(each, `${path}.${name}`)]));
}

const OF_A_STORE = /\/store-\d+\/(coordinator|executor|replica)$/;

const NEEDED = [
  ...['Part', 'PartReplies', 'PartFailed', 'Expect', 'ExpectRead', 'Execute', 'Read', 'Forget'],
  ...[
    'Executed',
    'ReadsDone',
    'Volatile',
    'Expired',
    'FindExpired',
    'FlushDone',
    'Protocol',
    'Replayed',
  ],
];

/** By type: how many have been copied. */
const copied = new Map<string, number>();

function copyOf<M>(message: M): M {
  const { replyTo, ...data } = message as { readonly type: string; readonly replyTo?: unknown };
  copied.set(data.type, (copied.get(data.type) ?? 0) + 1);
  const copy = clone(data, data.type);
  return (replyTo === undefined ? copy : { ...(copy as object), replyTo }) as M;
}

/** From now on. */
function copyAll(): void {
  const { tell, offer, tellOwn } = Cell.prototype;
  const of = <M>(cell: Cell<M>, message: M): M =>
    OF_A_STORE.test(cell.path) ? copyOf(message) : message;
  vi.spyOn(Cell.prototype, 'tell').mockImplementation(function (this: Cell<unknown>, message) {
    return tell.call(this, of(this, message));
  });
  vi.spyOn(Cell.prototype, 'tellOwn').mockImplementation(function (this: Cell<unknown>, message) {
    return tellOwn.call(this, of(this, message));
  });
  vi.spyOn(Cell.prototype, 'offer').mockImplementation(function (
    this: Cell<unknown>,
    message,
    waiter,
  ) {
    return offer.call(this, of(this, message), waiter);
  });
  const { receive } = UnitUnderWay.prototype;
  vi.spyOn(UnitUnderWay.prototype, 'receive').mockImplementation(function (
    this: UnitUnderWay,
    answer,
    output,
    writer,
  ) {
    return receive.call(this, copyOf(answer), output, writer);
  });
}

function run(seed: number) {
  return simulate({ seed, nodes: 3, timeMs: 2_000 });
}

afterEach(() => {
  vi.restoreAllMocks();
});

test('messages that are copied on the way change nothing', () => {
  for (const seed of [3, 6]) {
    const usual = run(seed);
    copyAll();
    const withCopies = run(seed);
    vi.restoreAllMocks();
    expect(withCopies.violations).toEqual([]);
    expect(withCopies.eventHash).toBe(usual.eventHash);
  }
  const types = [...copied.keys()].sort();
  expect(types).toEqual(expect.arrayContaining(NEEDED));
});
