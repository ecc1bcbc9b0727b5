/** A gateway over a real state machine whose users can be changed, as on one node. */
import { Harness, type HarnessClient, request } from '../transport/resp/harness.ts';
import { StoreCoordinator } from '../transport/resp/store-coordinator.ts';

export interface AclNode {
  readonly harness: Harness;
  readonly store: StoreCoordinator;
  /** A client of its own for each call. */
  client(): HarnessClient;
  /** Logged in with its name as the password. */
  as(user: string): HarnessClient;
  /** Runs ACL SETUSER, the rules after the password `>NAME`. */
  setUser(name: string, ...rules: readonly string[]): void;
}

export function aclNode(passwordHash = ''): AclNode {
  const store = new StoreCoordinator();
  const harness = new Harness({}, store, undefined, undefined, undefined, passwordHash);
  harness.clusterValues = () => store.table.settings.values;
  harness.clusterVersion = () => store.table.settings.version;
  harness.heldVersion = Number.MAX_SAFE_INTEGER;
  const admin = harness.client();
  return {
    harness,
    store,
    client: () => harness.client(),
    as(user) {
      const client = harness.client();
      const answer = client.ask(request(`AUTH ${user} ${user}`));
      if (answer !== '+OK\r\n') throw new Error(`${user} cannot log in: ${answer}`);
      return client;
    },
    setUser(name, ...rules) {
      const answer = admin.ask(
        request(`ACL SETUSER ${name} on >${name} ${rules.join(' ')}`.trim()),
      );
      if (answer !== '+OK\r\n') throw new Error(`ACL SETUSER ${name}: ${answer}`);
    },
  };
}
