/**
 * `client-output-buffer-limit`: groups of class, hard limit, soft limit and seconds, of which only
 * the class `pubsub` has a meaning here. All clients have `output-bytes-max`; there are no replicas
 * that are clients.
 */
import type { GatewayLimits } from './limits.ts';
import { parseBytes, type Setting } from './settings-registry.ts';

const GROUP_WORDS = 4;
const INVALID = 'Invalid client class specified in buffer limit configuration.';
const UNREADABLE = 'Error in hard, soft or soft_seconds setting in buffer limit configuration.';
const NO_NORMAL = 'the limit of the class normal is output-bytes-max';

export function outputLimitSetting(limits: GatewayLimits): Setting {
  return {
    name: 'client-output-buffer-limit',
    get() {
      const { hardBytes, softBytes, softSeconds } = limits.pubsubOutput;
      const pubsub = `pubsub ${hardBytes} ${softBytes} ${softSeconds}`;
      return `normal 0 0 0 slave 268435456 67108864 60 ${pubsub}`;
    },
    prepare(text) {
      const words = text.split(' ').filter((word) => word !== '');
      if (words.length === 0 || words.length % GROUP_WORDS !== 0) {
        return 'Wrong number of arguments in buffer limit configuration.';
      }
      let pubsub = limits.pubsubOutput;
      for (let i = 0; i < words.length; i += GROUP_WORDS) {
        const [name = '', hard = '', soft = '', seconds = ''] = words.slice(i, i + GROUP_WORDS);
        const hardBytes = parseBytes(hard);
        const softBytes = parseBytes(soft);
        if (hardBytes === undefined || softBytes === undefined || !/^\d{1,9}$/.test(seconds)) {
          return UNREADABLE;
        }
        const isUnlimited = hardBytes + softBytes === 0;
        switch (name.toLowerCase()) {
          case 'normal':
            if (isUnlimited) break;
            return NO_NORMAL;
          case 'slave':
          case 'replica':
            break;
          case 'pubsub':
            pubsub = { hardBytes, softBytes, softSeconds: Number(seconds) };
            break;
          default:
            return INVALID;
        }
      }
      return () => {
        limits.pubsubOutput = pubsub;
      };
    },
  };
}
