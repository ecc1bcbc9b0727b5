/** Doors of admin ports: users of a table in the test's hands, and one token. */
import { AccessControl } from '../../../transport/access/access-control.ts';
import { AdminDoor } from '../../../transport/access/admin/admin-door.ts';
import { hashOf } from '../../../transport/access/passwords.ts';
import { Harness } from '../resp/harness.ts';

export const TOKEN = `holo-admin-${'5a'.repeat(32)}`;

export interface TestDoor {
  readonly door: AdminDoor;
  /** Of the table; `set` them by name: `ACL SETUSER` rules. */
  readonly rules: Map<string, string>;
  tokens: string[];
  hasLease: boolean;
  nowMs: number;
  readonly access: AccessControl;
}

/** `password`: of the default user; without one the node is open. */
export function makeDoor(password = ''): TestDoor {
  const rules = new Map<string, string>();
  const { commands } = new Harness().gateway.access;
  const labels = [...commands.labels].map((label) => ({ label, categories: [] as string[] }));
  const made = { rules, tokens: [TOKEN], hasLease: true, nowMs: 1_000 };
  const access = new AccessControl({
    commands: labels,
    passwordHash: password === '' ? '' : hashOf(password),
    table: () => new Map([...rules].map(([name, text]) => [`user:${name}`, text])),
    hasLease: () => made.hasLease,
  });
  const door = new AdminDoor({
    tokens: () => made.tokens,
    users: () => access,
    clock: { wallUs: () => made.nowMs * 1_000, monotonicMs: () => made.nowMs },
  });
  return Object.assign(made, { door, access });
}
