/**
 * The notes of a gateway about its commands, for operators: slow log, latency monitor, hot keys.
 * Connections report each unit once, one key of a sample of the commands, and the way of a sample
 * of the units.
 */
import type { Arguments } from '../../../storage/arguments.ts';
import { type Command, keysAmong } from '../../../storage/commands/command.ts';
import type { ClientState } from '../connection/client-state.ts';
import type { Part } from '../connection/part.ts';
import type { GatewayServices } from '../gateway-services.ts';
import { HotKeys } from './hot-keys.ts';
import { LatencyMonitor } from './latency-monitor.ts';
import { Sampler } from './sampler.ts';
import { SlotHeat } from './slot-heat.ts';
import { cutWords, SlowLog, slowWords } from './slow-log.ts';

/** Of units that are measured on their way. */
const UNITS_PER_SECOND = 500;
const ADJUST_EVERY_MS = 1_000;

/** A route of the store. */
interface KeyedRoute {
  readonly firstKey: number;
  readonly writes: boolean;
  readonly command: Command;
}

interface GatewayCommand {
  readonly name: string;
  readonly categories: readonly string[];
}

export class CommandInsight {
  readonly slowLog = new SlowLog();
  readonly latency = new LatencyMonitor();
  readonly hotKeys = new HotKeys();
  readonly heat = new SlotHeat();
  /** Of the units: those that are measured on their way. */
  readonly units = new Sampler(UNITS_PER_SECOND);
  #adjustedMs = 0;
  /** The setting `latency-tracking-info-percentiles`. */
  percentiles = '50 99 99.9';
  readonly #clock: GatewayServices['clock'];

  constructor(clock: GatewayServices['clock']) {
    this.#clock = clock;
  }

  /** To be called at least every second. */
  onTick(nowMs: number): void {
    this.hotKeys.onTick(nowMs);
    const sinceMs = nowMs - this.#adjustedMs;
    if (sinceMs < ADJUST_EVERY_MS) return;
    this.#adjustedMs = nowMs;
    this.units.adjust(sinceMs);
  }

  /** A unit of so many commands is answered. */
  unitDone(client: ClientState, [first]: readonly Part[], commands: number, tookMs: number): void {
    const isSlow = this.slowLog.isSlow(tookMs * 1_000);
    if (!isSlow && !this.latency.isHigh(tookMs)) return;
    const atSeconds = this.#seconds();
    this.latency.note('command', tookMs, atSeconds);
    if (first === undefined || !isSlow) return;
    this.#add(client, slowWords(first.bytes, commands), tookMs, atSeconds);
  }

  /** A command that names keys has come. */
  keysNamed(route: KeyedRoute, args: Arguments, database: number): void {
    if (route.firstKey > 0) return this.#keyNamed(route, args, route.firstKey, database, 1);
    const { keys } = route.command;
    const indices = typeof keys === 'string' ? [] : keysAmong(keys, args);
    const drawn = indices[Math.floor(this.hotKeys.draw() * indices.length)];
    if (drawn !== undefined) this.#keyNamed(route, args, drawn, database, indices.length);
  }

  #keyNamed(route: KeyedRoute, args: Arguments, i: number, database: number, keys: number): void {
    this.hotKeys.add(database, args.text(i), keys);
    this.heat.add(args.slot(i), route.writes, this.hotKeys.weight * keys, this.#clock.wallUs());
  }

  /** A command of the gateway has run. */
  localDone(
    client: ClientState,
    local: GatewayCommand,
    args: readonly string[],
    tookMs: number,
  ): void {
    const isSlow = this.slowLog.isSlow(tookMs * 1_000);
    if (!isSlow && !this.latency.isHigh(tookMs)) return;
    const atSeconds = this.#seconds();
    const isFast = local.categories.includes('@fast');
    this.latency.note(isFast ? 'fast-command' : 'command', tookMs, atSeconds);
    if (!isSlow || hidesItself(local.name)) return;
    this.#add(
      client,
      cutWords(
        args.length,
        (i) => args[i]?.length ?? 0,
        (i) => args[i] ?? '',
      ),
      tookMs,
      atSeconds,
    );
  }

  #seconds(): number {
    return Math.floor(this.#clock.wallUs() / 1e6);
  }

  #add(
    { address, name }: ClientState,
    words: readonly string[],
    tookMs: number,
    atSeconds: number,
  ): void {
    this.slowLog.add({ atSeconds, tookUs: Math.round(tookMs * 1_000), words, address, name });
  }
}

/** Redis logs no EXEC, only what it runs; and no words that may be secret. */
function hidesItself(name: string): boolean {
  return name === 'EXEC' || name === 'AUTH' || name === 'HELLO';
}
