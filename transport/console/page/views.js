/** All views: how they are called in the address, in the navigation, and on the keyboard. */
import { Actors } from './views/actors.js';
import { Clients } from './views/clients.js';
import { HoloFast } from './views/holofast.js';
import { Jobs } from './views/jobs.js';
import { Keys } from './views/keys.js';
import { Logs } from './views/logs.js';
import { Overview } from './views/overview.js';
import { Ranges } from './views/ranges.js';
import { Transactions } from './views/transactions.js';

export const VIEWS = [
  { name: 'overview', title: 'Overview', key: '1', View: Overview },
  { name: 'ranges', title: 'Ranges', key: '2', View: Ranges },
  { name: 'actors', title: 'Actors', key: '3', View: Actors },
  { name: 'transactions', title: 'Transactions', key: '4', View: Transactions },
  { name: 'keys', title: 'Keys', key: '5', View: Keys },
  { name: 'clients', title: 'Clients', key: '6', View: Clients },
  { name: 'holofast', title: 'HoloFast', key: '7', View: HoloFast },
  { name: 'logs', title: 'Logs', key: '8', View: Logs },
  { name: 'jobs', title: 'Jobs and actions', key: '9', View: Jobs },
];
