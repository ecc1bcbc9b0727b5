/**
 * MULTI, EXEC, DISCARD: a block becomes part of one strictly serializable transaction. WATCH makes
 * it depend on keys that have not changed.
 */
import type { LocalCommand } from '../routes.ts';

const TRANSACTION = {
  flags: ['noscript', 'loading', 'stale', 'fast'],
  categories: ['@fast', '@transaction'],
  group: 'transactions',
  immediate: true,
  complexity: 'O(1)',
} as const;

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
    categories: ['@slow', '@transaction'],
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
    keysFrom: 1,
    afterAll: true,
    summary: 'Monitors changes to keys to determine the execution of a transaction.',
    since: '2.2.0',
    complexity: 'O(1) for every key.',
    run(context, args, out) {
      if (context.inMulti) out.error('ERR WATCH inside MULTI is not allowed');
      else context.watch(args.slice(1), out);
    },
  },
  {
    ...TRANSACTION,
    name: 'UNWATCH',
    arity: 1,
    immediate: false,
    summary: 'Forgets about watched keys of a transaction.',
    since: '2.2.0',
    run(context, _args, out) {
      context.unwatch();
      out.simple('OK');
    },
  },
];
