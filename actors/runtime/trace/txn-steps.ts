/** The facts that a transaction ring can name, by code. Codes live in one process only. */

/** Messages that concern a transaction: of the protocol, and between the actors of a store. */
export const TXN_MESSAGES = [
  'Coordinate',
  'PreAccept',
  'PreAcceptOk',
  'Accept',
  'AcceptOk',
  'AcceptInvalidate',
  'AcceptInvalidateOk',
  'Commit',
  'CommitOk',
  'Stable',
  'Read',
  'ReadOk',
  'Apply',
  'ApplyOk',
  'InformDurable',
  'CommitInvalidate',
  'Nack',
  'BeginRecovery',
  'RecoverOk',
  'CheckStatus',
  'StatusReply',
  'Execute',
  'Executed',
  'Append',
  'Durable',
] as const;

/** Steps that are no message. */
export const TXN_STEPS = [
  'begin',
  'fast',
  'slow',
  'recovered',
  'invalidated',
  'dep',
  'waits',
  'executed',
  'answered',
  'recover',
  'no room',
  'recovery: invalidated',
  'recovery: invalidate',
  'recovery: stable',
  'recovery: commit',
  'recovery: coordinate',
  'recovery: wait',
  'recovery: again',
  'recovery: later',
  'synced',
] as const;
export type TxnStep = (typeof TXN_STEPS)[number];

export const MESSAGE_CODES = codesOf(TXN_MESSAGES);
export const STEP_CODES = codesOf(TXN_STEPS);

function codesOf<Name extends string>(names: readonly Name[]): Readonly<Record<Name, number>> {
  return Object.freeze(
    Object.fromEntries(names.map((name, code) => [name, code])) as Record<Name, number>,
  );
}

/** The name of a store's turn in traces, unique in a process: both ends of its log messages. */
export function tracedTurn(store: number, token: number): number {
  return store * 2 ** 40 + token;
}
