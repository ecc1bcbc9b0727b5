/** The filters of CLIENT KILL, as a predicate over connections. */
import { printable, SYNTAX_ERROR } from '../../../storage/commands/command.ts';
import { parseInteger } from '../../../storage/types/integers.ts';
import { type ClientView, isSubscriber } from '../connection/client-state.ts';

type Predicate = (view: ClientView) => boolean;

/** `args` are those of CLIENT KILL; returns the error line if they are invalid. */
export function clientFilter(
  args: readonly string[],
  ownId: number,
  nowMs: number,
  isUser: (name: string) => boolean,
): Predicate | string {
  if (args.length % 2 !== 0) return SYNTAX_ERROR;
  const tests: Predicate[] = [];
  let skipOwn = true;
  for (let i = 2; i < args.length; i += 2) {
    const option = (args[i] ?? '').toUpperCase();
    const value = args[i + 1] ?? '';
    if (option === 'SKIPME') {
      const word = value.toUpperCase();
      if (word !== 'YES' && word !== 'NO') return SYNTAX_ERROR;
      skipOwn = word === 'YES';
      continue;
    }
    const test = predicate(option, value, nowMs, isUser);
    if (typeof test === 'string') return test;
    tests.push(test);
  }
  return (view) => (!skipOwn || view.client.id !== ownId) && tests.every((test) => test(view));
}

function predicate(
  option: string,
  value: string,
  nowMs: number,
  isUser: (name: string) => boolean,
): Predicate | string {
  switch (option) {
    case 'ID': {
      const id = parseInteger(value);
      if (id === undefined || id < 1) return 'ERR client-id should be greater than 0';
      return (view) => view.client.id === Number(id);
    }
    case 'ADDR':
      return (view) => view.client.address === value;
    case 'LADDR':
      return (view) => view.client.localAddress === value;
    case 'TYPE':
      return typePredicate(value);
    case 'USER':
      if (!isUser(value)) return `ERR No such user '${printable(value)}'`;
      return (view) => view.client.user === value;
    case 'MAXAGE': {
      const seconds = parseInteger(value);
      if (seconds === undefined || seconds < 1) {
        return 'ERR maxage is not an integer or out of range';
      }
      return (view) => nowMs - view.client.connectedMs >= Number(seconds) * 1000;
    }
    default:
      return SYNTAX_ERROR;
  }
}

function typePredicate(value: string): Predicate | string {
  switch (value.toLowerCase()) {
    case 'normal':
      return ({ client }) => !isSubscriber(client);
    case 'pubsub':
      return ({ client }) => isSubscriber(client);
    case 'master':
    case 'replica':
    case 'slave':
      return () => false;
    default:
      return `ERR Unknown client type '${printable(value)}'`;
  }
}
