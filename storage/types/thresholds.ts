/**
 * From which size on OBJECT ENCODING tells the larger encoding, under Redis' names and with its
 * defaults. They reach the state, so all replicas need the same.
 */
export interface Thresholds {
  readonly hashMaxListpackEntries: number;
  readonly hashMaxListpackValue: number;
  readonly setMaxIntsetEntries: number;
  readonly setMaxListpackEntries: number;
  readonly setMaxListpackValue: number;
  /** Items, or below zero a number of bytes: -2 for 8,192. */
  readonly listMaxListpackSize: number;
  readonly zsetMaxListpackEntries: number;
  readonly zsetMaxListpackValue: number;
}

export const THRESHOLDS: Thresholds = {
  hashMaxListpackEntries: 512,
  hashMaxListpackValue: 64,
  setMaxIntsetEntries: 512,
  setMaxListpackEntries: 128,
  setMaxListpackValue: 64,
  listMaxListpackSize: -2,
  zsetMaxListpackEntries: 128,
  zsetMaxListpackValue: 64,
};
