/** HoloFast of one node: the source of its frame path, or the reason why it has none. */
import type { Logger } from 'pino';
import { reasonAgainst } from '../../bpf/path/holofast-mode.ts';
import { UdpFramePathSource } from '../../bpf/path/udp-frame-path.ts';
import type { HoloFastStatus } from '../../transport/http/node-status.ts';
import type { NodeConfig } from './settings/config.ts';
import type { StatusBoard } from './status-board.ts';

interface HoloFastOptions {
  readonly config: NodeConfig;
  /** See `UdpFramePathOptions`; without one there are no frames. */
  readonly keys: readonly Uint8Array[];
  readonly wallUs: () => number;
  readonly onFailed: (reason: string) => void;
  /** Nothing else runs in the process: it gives up its capabilities. */
  readonly ownsProcess: boolean;
  readonly logger: Logger;
}

const NO_KEY = 'its frames need a --cluster-secret-file for their tags';

export class HoloFast {
  /** Absent when HoloFast is off. */
  readonly source: UdpFramePathSource | undefined;
  readonly #mode: string;
  readonly #offReason: string;

  constructor(options: HoloFastOptions) {
    const { config, logger } = options;
    const { nodeId, holofast: mode, initialMembers } = config;
    const self = initialMembers.find(({ id }) => id === nodeId);
    const hosts = initialMembers.map(({ host }) => host);
    const { keys } = options;
    const offReason = reasonAgainst(mode, hosts) ?? (keys.length === 0 ? NO_KEY : undefined);
    this.#mode = mode;
    this.#offReason = offReason ?? '';
    if (offReason !== undefined || self === undefined) {
      logger.info({ tier: 'off' }, `holofast: off (${offReason})`);
      return;
    }
    const peers = initialMembers.map(({ host, port }, sender) => ({ sender, host, port }));
    this.source = new UdpFramePathSource({
      mode,
      // A member recognizes a frame's sender by its address in the list of members. UDP uses the
      // number of the peer port.
      self: { host: self.host, port: config.listenPeer.port },
      members: initialMembers.map(({ id }) => id),
      peers: peers.filter((_member, sender) => initialMembers[sender] !== self),
      keys,
      ...(config.holofastPins === '' ? {} : { pins: config.holofastPins }),
      wallUs: options.wallUs,
      onFailed: options.onFailed,
      onTier: (tier, reason) => logger.info({ tier, reason }, `holofast: ${tier} (${reason})`),
      ...(options.ownsProcess ? { onPrivileges: toldBy(logger) } : {}),
    });
  }

  /** The secret has changed. */
  useKeys(keys: readonly Uint8Array[]): void {
    if (keys.length > 0) this.source?.useKeys(keys);
  }

  status(board: StatusBoard): HoloFastStatus {
    const { quorums } = board;
    const mode = this.#mode;
    if (this.source === undefined) {
      return { mode, tier: 'off', reason: this.#offReason, quorums, counters: {} };
    }
    const { tier, reason } = this.source;
    const counters = { ...board.frameCounters(), ...this.source.counters() };
    return { mode, tier, reason, quorums, counters };
  }
}

function toldBy(logger: Logger): (privileges: 'dropped' | 'kept') => void {
  return (privileges) => {
    if (privileges === 'dropped') logger.info('holofast: the process has dropped its capabilities');
    else logger.warn('holofast: this kernel needs CAP_BPF to write maps: it is kept');
  };
}
