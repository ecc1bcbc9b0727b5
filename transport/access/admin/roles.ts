/**
 * Roles of users at the admin port. They follow from the permissions of the user: each role takes
 * the right to the commands that do the same at the Redis port. Pure.
 */
import type { Selector } from '../../../storage/commands/access/selector.ts';
import type { User } from '../acl/user.ts';

/** Each may do what those before it may. */
export const ROLES = ['viewer', 'operator', 'admin'] as const;
export type Role = (typeof ROLES)[number];

/** A caller of the admin port, and its rights there. */
export interface Identity {
  readonly user: string;
  readonly role: Role;
}

const VIEWER_COMMANDS = ['info', 'slowlog|get', 'client|list'];
const OPERATOR_COMMANDS = [...VIEWER_COMMANDS, 'client|kill', 'config|set'];
const ADMIN_COMMANDS = [...OPERATOR_COMMANDS, 'acl|setuser'];

/** `undefined`: nothing at the admin port. */
export function roleOf(user: User): Role | undefined {
  let best: Role | undefined;
  for (const selector of user.allSelectors()) best = higher(best, roleBy(selector));
  return best;
}

function roleBy(selector: Selector): Role | undefined {
  const may = (labels: readonly string[]): boolean =>
    labels.every((label) => selector.allowsCommand(label, undefined));
  if (selector.allKeys && may(ADMIN_COMMANDS)) return 'admin';
  if (selector.allKeys && may(OPERATOR_COMMANDS)) return 'operator';
  // Traces, logs and hot keys show names of any keys.
  return selector.readsAllKeys && may(VIEWER_COMMANDS) ? 'viewer' : undefined;
}

function higher(one: Role | undefined, other: Role | undefined): Role | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return isAtLeast(one, other) ? one : other;
}

export function isAtLeast(role: Role, needed: Role): boolean {
  return ROLES.indexOf(role) >= ROLES.indexOf(needed);
}

export function atMost(role: Role, limit: Role): Role {
  return isAtLeast(role, limit) ? limit : role;
}
