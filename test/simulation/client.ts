/**
 * A simulated client: one operation at a time against some node, recorded with what it was told.
 * A time-out or a restart leaves the operation open for ever; a refusal is kept as such.
 */
import { Arguments } from '../../storage/arguments.ts';
import { keysAmong } from '../../storage/commands/command.ts';
import { commandFor } from '../../storage/commands/command-table.ts';
import { requestOf } from '../../storage/request.ts';
import { headIn } from '../../storage/transaction-body.ts';
import type { Part } from '../../transport/resp/connection/part.ts';
import type { PlanItem } from '../../transport/resp/connection/unit-under-way.ts';

export type Answer =
  /** `isCut`: its last commands were another transaction or read. */
  | { readonly type: 'replies'; readonly bytes: Buffer; readonly isCut: boolean }
  /** `why`: the first word of the error line. */
  | { readonly type: 'refused' | 'unknown'; readonly why: string };

/** So many commands of a pipeline, or a MULTI block of so many. */
export type UnitItem = number | { readonly exec: number };

/** A client's request to a node, which gives the part its unit and group. */
export interface ClientUnit {
  readonly part: Omit<Part, 'unit' | 'groups' | 'window'>;
  readonly items: readonly UnitItem[];
  readonly plan: readonly PlanItem[];
  readonly answer: (answer: Answer) => void;
}

const args = new Arguments();

/**
 * One unit of these commands; `exec` puts them into a MULTI block. `databases`: of each command, 0
 * where nothing is said.
 */
export function unitOf(
  commands: readonly (readonly string[])[],
  exec: boolean | readonly UnitItem[],
  answer: (answer: Answer) => void,
  databases: readonly number[] = [],
): ClientUnit {
  let selected = 0;
  const requests = commands.map((words, at) => {
    const request = requestOf(words);
    const database = databases[at] ?? 0;
    if (database !== selected) request[0] = headIn(database);
    selected = database;
    return request;
  });
  const bytes = Buffer.concat(requests);
  const items = itemsOf(commands.length, exec);
  const slots: number[] = [];
  let readsFrom = 0;
  let index = 0;
  let readOnly = items.every((item) => typeof item === 'number');
  let wholeStore = false;
  for (let at = 0; at < bytes.length; ) {
    at = args.next(bytes, at);
    const command = commandFor(args);
    index += 1;
    if (command?.kind === 'write') readsFrom = index;
    if (command === undefined || command.keys === 'none') {
      throw new Error(`no unit of ${args.name}`);
    }
    if (command.keys === 'whole-store') {
      wholeStore = true;
      // SCAN walks the keys, and promises no single moment for them.
      if (command.name !== 'SCAN') readOnly = false;
      continue;
    }
    if (command.findsKeys?.(args) === true) {
      readOnly = false;
      // In a block, which has no second run, it takes all keys.
      wholeStore ||= items.some((item) => typeof item !== 'number');
    }
    const keys = keysAmong(command.keys, args);
    for (const i of keys) slots.push(args.slot(i));
    if (command.kind !== 'read' || keys.length !== 1) readOnly = false;
  }
  return {
    part: {
      part: 0,
      bytes,
      count: commands.length,
      layout: items.map((item) => (typeof item === 'number' ? item : item.exec)),
      protocol: 2,
      readOnly,
      readsFrom: Math.max(readsFrom, endOfBlocks(items)),
      wholeStore,
      waits: false,
      participants: slots,
    },
    items,
    plan: items.flatMap(planOf),
    answer,
  };
}

/**
 * The first `count` commands of a part, as a unit. `silent`: behind the next one, which is begun
 * anew, as many have answered nothing.
 */
export function pieceOf(
  unit: ClientUnit,
  part: Part,
  count: number,
): { readonly piece: ClientUnit; readonly silent: number } {
  let end = 0;
  for (let left = count; left > 0; left -= 1) end = args.next(part.bytes, end);
  const piece = { ...part, count, bytes: part.bytes.subarray(0, end) };
  if (count < part.count) args.next(part.bytes, end);
  const isBegunAnew = count < part.count && commandFor(args)?.findsKeys?.(args) === true;
  const silent = isBegunAnew ? part.count - count - 1 : 0;
  return { piece: { ...unit, part: piece, items: [count] }, silent };
}

/** A command for the cluster's table; it is alone in its unit. */
export function isOfTable({ part: { bytes, count } }: ClientUnit): boolean {
  if (count !== 1) return false;
  args.next(bytes, 0);
  return commandFor(args)?.ofTable === true;
}

function itemsOf(commands: number, exec: boolean | readonly UnitItem[]): readonly UnitItem[] {
  if (typeof exec !== 'boolean') return exec;
  return exec ? [{ exec: commands }] : [commands];
}

/** Commands up to the end of the last MULTI block. */
function endOfBlocks(items: readonly UnitItem[]): number {
  const last = items.findLastIndex((item) => typeof item !== 'number');
  return items
    .slice(0, last + 1)
    .reduce<number>((sum, item) => sum + (typeof item === 'number' ? item : item.exec), 0);
}

function planOf(item: UnitItem): PlanItem[] {
  if (typeof item === 'number') return [{ type: 'run', part: 0, errors: item, inside: false }];
  const reply = Buffer.from(`*${item.exec}\r\n`, 'latin1');
  return [
    { type: 'local', reply, block: 0, inside: false },
    { type: 'run', part: 0, errors: 1, inside: true },
  ];
}

/** A client's reading of an error line that all its commands got. */
export function failure(line: string): Answer {
  const [why = ''] = line.split(' ');
  return { type: / refused/.test(line) ? 'refused' : 'unknown', why };
}

export type Reply = string | number | null | { readonly error: string } | readonly Reply[];

/** All replies in a RESP2 byte string. */
export function parseReplies(bytes: Buffer): Reply[] {
  let at = 0;
  const line = (): string => {
    const end = bytes.indexOf('\r\n', at, 'latin1');
    const text = bytes.toString('latin1', at, end);
    at = end + 2;
    return text;
  };
  const one = (): Reply => {
    const head = line();
    const rest = head.slice(1);
    switch (head[0]) {
      case '+':
        return rest;
      case '-':
        return { error: rest };
      case ':':
        return Number(rest);
      case '$': {
        if (rest === '-1') return null;
        const text = bytes.toString('latin1', at, at + Number(rest));
        at += Number(rest) + 2;
        return text;
      }
      case '*':
        if (rest === '-1') return null;
        return Array.from({ length: Number(rest) }, one);
      default:
        throw new Error(`not a RESP2 reply: ${head}`);
    }
  };
  const replies: Reply[] = [];
  while (at < bytes.length) replies.push(one());
  return replies;
}
