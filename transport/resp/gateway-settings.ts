/**
 * The gateway's limits under the names that CONFIG shows, and the settings of Redis that have no
 * meaning here. The first registration of a name owns it.
 */
import { DATABASES } from '../../storage/limits.ts';
import type { ProtectedMode } from '../access/protected-mode.ts';
import type { GatewayServices } from './gateway-services.ts';
import { inertSettings, yesOrNo } from './inert-settings.ts';
import { type GatewayLimits, OUTPUT_BYTES_MIN } from './limits.ts';
import { outputLimitSetting } from './output-limit-setting.ts';
import { bytesSetting, fixedSetting, integerSetting, type Setting } from './settings-registry.ts';

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;
const YEAR_SECONDS = 31_536_000;

type FixedLimit =
  | 'pipelineOrder'
  | 'transactionBytesMax'
  | 'clientsMax'
  | 'derivedMemoryBytes'
  | 'pubsubOutput';
type LimitName = Exclude<keyof GatewayLimits, FixedLimit>;

export function registerGatewaySettings(
  services: Pick<GatewayServices, 'settings' | 'clusterSettings' | 'protectedMode'>,
  limits: GatewayLimits,
): void {
  const { settings, clusterSettings, protectedMode } = services;
  const all = [
    ...limitSettings(limits),
    protectedModeSetting(protectedMode),
    ...FIXED,
    ...inertSettings(clusterSettings),
  ];
  settings.register(...all.filter((setting) => settings.find(setting.name) === undefined));
}

function limitSettings(limits: GatewayLimits): Setting[] {
  const bytes = (name: string, limit: LimitName, min: number, max: number): Setting =>
    guarded(bytesSetting({ name, min, max, ...access(limits, limit) }));
  const count = (name: string, limit: LimitName, min: number, max: number): Setting =>
    guarded(integerSetting({ name, min, max, ...access(limits, limit) }));
  const { transactionBytesMax } = limits;
  return [
    count('maxclients', 'maxClients', 1, limits.clientsMax),
    bytes('maxmemory', 'memoryBytesMax', 0, 1024 * 1024 * GIB),
    bytes('maxmemory-clients', 'clientMemoryBytesMax', 0, 1024 * 1024 * GIB),
    integerSetting({
      name: 'timeout',
      min: 0,
      max: YEAR_SECONDS,
      get: () => limits.idleTimeoutMs / 1000,
      set: (seconds) => {
        limits.idleTimeoutMs = seconds * 1000;
      },
    }),
    bytes('proto-max-bulk-len', 'requestBulkBytesMax', 64 * KIB, transactionBytesMax),
    bytes('client-query-buffer-limit', 'requestBytesMax', MIB, transactionBytesMax),
    bytes('unit-bytes-max', 'unitBytesMax', KIB, transactionBytesMax),
    count('unit-commands-max', 'unitCommandsMax', 1, 1_000_000),
    bytes('pending-bytes-max', 'pendingBytesMax', KIB, GIB),
    bytes('output-bytes-max', 'outputBytesMax', OUTPUT_BYTES_MIN, 16 * GIB),
    count('multi-commands-max', 'multiCommandsMax', 1, 1_000_000),
    bytes('multi-bytes-max', 'multiBytesMax', KIB, transactionBytesMax),
    count('setting-wait-ms-max', 'settingWaitMsMax', 0, YEAR_SECONDS * 1000),
    fixedSetting('transaction-keys-max', String(limits.transactionKeysMax)),
    count('subscriptions-max', 'subscriptionsMax', 1, 1_000_000),
    guarded(outputLimitSetting(limits)),
    count('watched-keys-max', 'watchedKeysMax', 1, 1_000_000),
    count('partial-request-ms-max', 'partialRequestMsMax', 100, YEAR_SECONDS * 1000),
  ];
}

/** Clients may not open the node to the network: the operator may. */
function protectedModeSetting(mode: ProtectedMode): Setting {
  return guarded({
    name: 'protected-mode',
    get: () => (mode.isOn ? 'yes' : 'no'),
    prepare: (text) => {
      const judged = yesOrNo(text);
      if ('reason' in judged) return judged.reason;
      return () => {
        mode.isOn = judged.kept === 'yes';
      };
    },
  });
}

/** A limit that protects the node from its clients: they may not change it. */
function guarded(setting: Setting): Setting {
  return { ...setting, isGuarded: true };
}

function access(limits: GatewayLimits, name: LimitName) {
  return {
    get: () => limits[name],
    set: (value: number) => {
      limits[name] = value;
    },
  };
}

const FIXED: readonly Setting[] = [
  // A password is kept as its hash: it is set by CONFIG SET, and never shown.
  fixedSetting('requirepass', ''),
  fixedSetting('databases', String(DATABASES)),
  fixedSetting('io-threads', '1'),
  fixedSetting('cluster-enabled', 'no'),
];
