/**
 * MULTI, EXEC, DISCARD: a block becomes part of one strictly serializable transaction. WATCH is
 * refused.
 */
import type { LocalCommand } from '../routes.ts';

const TRANSACTION = {
  flags: ['noscript', 'loading', 'stale', 'fast'],
  categories: ['@fast', '@transaction'],
  group: 'transactions',
  immediate: true,
  complexity: 'O(1)',
} as const;

const NO_WATCH = 'ERR WATCH is not supported yet';

export const TRANSACTION_COMMANDS: readonly LocalCommand[] = [
  {
    ...TRANSACTION,
    name: 'MULTI',
    arity: 1,
    summary: 'Starts a transaction.',
    since: '1.2.0',
    run(context, _args, out) {
      if (context.beginMulti()) out.simple('OK');
      else out.error('ERR MULTI calls can not be nested');
    },
  },
  {
    ...TRANSACTION,
    name: 'EXEC',
    arity: 1,
    summary: 'Executes all commands in a transaction.',
    since: '1.2.0',
    complexity: 'Depends on commands in the transaction',
    run: (context, _args, out) => context.exec(out),
  },
  {
    ...TRANSACTION,
    name: 'DISCARD',
    arity: 1,
    summary: 'Discards a transaction.',
    since: '2.0.0',
    run(context, _args, out) {
      if (context.discardMulti()) out.simple('OK');
      else out.error('ERR DISCARD without MULTI');
    },
  },
  {
    ...TRANSACTION,
    name: 'WATCH',
    arity: -2,
    summary: 'Not supported yet.',
    since: '2.2.0',
    run(context, _args, out) {
      out.error(context.inMulti ? 'ERR WATCH inside MULTI is not allowed' : NO_WATCH);
    },
  },
  {
    ...TRANSACTION,
    name: 'UNWATCH',
    arity: 1,
    summary: 'Not supported yet.',
    since: '2.2.0',
    run: (_context, _args, out) => out.error(NO_WATCH),
  },
];
