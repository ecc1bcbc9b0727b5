/**
 * Protected mode: as long as anyone who connects may do everything, only connections from this
 * machine's loopback are taken. One object per node, shared by the Redis port and the admin port.
 * Source: `clientAcceptHandler` of Redis 7.
 */
import { isLoopbackEndpoint } from './loopback.ts';

/** Redis' text up to the remedies, which are those that this node has. */
export const DENIED =
  'DENIED Redis is running in protected mode because protected mode is enabled and no password ' +
  'is set for the default user. In this mode connections are only accepted from the loopback ' +
  'interface. If you want to connect from external computers to Redis you may adopt one of the ' +
  'following solutions: 1) Disable protected mode with "holoctl config set protected-mode no" on ' +
  'the machine of the node, however MAKE SURE that it is not publicly accessible from internet ' +
  "if you do so. 2) Start the node with the '--protected-mode no' option. 3) Set up an " +
  'authentication password for the default user. NOTE: You only need to do one of the above ' +
  'things in order for the server to start accepting connections from the outside.';

export class ProtectedMode {
  isOn: boolean;
  /** Connections that were refused. */
  refused = 0;

  constructor(isOn: boolean) {
    this.isOn = isOn;
  }

  /** `source` is `host:port`. Counts the refusals. */
  refuses(source: string): boolean {
    if (!this.isOn || isLoopbackEndpoint(source)) return false;
    this.refused += 1;
    return true;
  }
}
