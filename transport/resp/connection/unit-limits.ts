/** How much one unit and one MULTI block may hold. */
import type { Arguments } from '../../../storage/arguments.ts';
import { keysAmong } from '../../../storage/commands/command.ts';
import type { GatewayLimits } from '../limits.ts';
import { KEYS_ONE, type StoreRoute } from '../routes.ts';
import type { MultiBlock } from './multi-block.ts';
import type { UnitBuilder } from './unit-builder.ts';

const MULTI_TOO_LARGE = 'ERR MULTI block is too large';

export class UnitLimits {
  readonly #limits: GatewayLimits;
  readonly #builder: UnitBuilder;

  constructor(limits: GatewayLimits, builder: UnitBuilder) {
    this.#limits = limits;
    this.#builder = builder;
  }

  /** Whether the unit has room for this; an empty unit takes any command or block. */
  fits(count: number, bytes: number): boolean {
    const builder = this.#builder;
    if (builder.count === 0) return true;
    const { unitCommandsMax, unitBytesMax } = this.#limits;
    return builder.count + count <= unitCommandsMax && builder.bytes + bytes <= unitBytesMax;
  }

  admitsBlock(block: MultiBlock): boolean {
    const { count, keys } = this.#builder;
    const { transactionKeysMax } = this.#limits;
    if (count > 0 && keys + block.slots.length > transactionKeysMax) return false;
    return this.fits(block.count, block.bytes) && this.#builder.admitsBlock(block);
  }

  /** Whether the command and `named` keys before it are too many for one unit. */
  namesTooMany({ command, keys }: StoreRoute, args: Arguments, named: number): boolean {
    const left = this.#limits.transactionKeysMax - named;
    if (typeof command.keys === 'string' || keys === KEYS_ONE) return keys === KEYS_ONE && left < 1;
    return args.count > left && keysAmong(command.keys, args).length > left;
  }

  tooManyKeys(): string {
    const limit = `${this.#limits.transactionKeysMax} keys (--transaction-keys-max)`;
    return `TOOLARGE refused, nothing was done: it names more than ${limit}`;
  }

  /** Why the block cannot take a command of so many bytes. */
  refusalOf(
    multi: MultiBlock,
    bytes: number,
    args: Arguments,
    route?: StoreRoute,
  ): string | undefined {
    const { multiCommandsMax, multiBytesMax } = this.#limits;
    if (route !== undefined && this.namesTooMany(route, args, multi.slots.length)) {
      return this.tooManyKeys();
    }
    const fits = multi.commands < multiCommandsMax && multi.bytes + bytes <= multiBytesMax;
    return fits ? undefined : MULTI_TOO_LARGE;
  }
}
