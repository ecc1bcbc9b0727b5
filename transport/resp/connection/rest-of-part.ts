/** The commands of a part that its replies have left unanswered, as a part of their own. */
import { Arguments } from '../../../storage/arguments.ts';
import { commandFor } from '../../../storage/commands/command-table.ts';
import { databaseOfHead } from '../../../storage/transaction-body.ts';
import { storeRoute } from '../routes.ts';
import { CommandBatch } from './command-batch.ts';
import type { Part } from './part.ts';

/** `number`: that of the new part. `answered`: less than `count`. */
export function restOf(part: Part, answered: number, number: number): Part {
  const args = new Arguments();
  const rest = new CommandBatch();
  const { bytes } = part;
  let database = 0;
  let at = 0;
  for (let index = 0; index < part.count; index += 1) {
    const start = at;
    at = args.next(bytes, start);
    database = databaseOfHead(bytes[start] as number) ?? database;
    const command = index < answered ? undefined : commandFor(args);
    if (command === undefined) continue;
    rest.addCommand(storeRoute(command), args, bytes, start, at, database);
  }
  return {
    ...part,
    part: number,
    bytes: rest.runs.take(),
    count: rest.count,
    layout: layoutBehind(part.layout, answered),
    readOnly: rest.readOnly,
    readsFrom: rest.readsFrom,
    wholeStore: rest.wholeStore,
    participants: rest.slots,
  };
}

function layoutBehind(layout: readonly number[], answered: number): number[] {
  let before = answered;
  const left = layout.map((run) => {
    const passed = Math.min(run, before);
    before -= passed;
    return run - passed;
  });
  return left.filter((run) => run > 0);
}
