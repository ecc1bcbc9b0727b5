/**
 * Which version of the cluster's settings this node and its peers have, so that CONFIG SET answers
 * when every node that is up has the change. The stores tell this node's, the links the others'.
 */
import { type ClusterSettings, NO_SETTINGS } from '../../storage/cluster-settings.ts';

export class SettingsWatch {
  readonly #connected: ReadonlySet<number>;
  #own: ClusterSettings = NO_SETTINGS;
  /** By peer: the version that it has told last. */
  readonly #told = new Map<number, number>();

  /** Peers whose links are up, always as they are now. */
  constructor(connected: ReadonlySet<number>) {
    this.#connected = connected;
  }

  get version(): number {
    return this.#own.version;
  }

  get values(): ReadonlyMap<string, string> {
    return this.#own.values;
  }

  /** `false`: nothing has changed. */
  changed(settings: ClusterSettings): boolean {
    const { version } = this.#own;
    this.#own = settings;
    return settings.version !== version;
  }

  told(peer: number, version: number): void {
    this.#told.set(peer, version);
  }

  /** Whether this node and all that are up have this version, or a later one. */
  isHeld(version: number): boolean {
    if (this.#own.version < version) return false;
    return [...this.#connected].every((peer) => (this.#told.get(peer) ?? 0) >= version);
  }
}
