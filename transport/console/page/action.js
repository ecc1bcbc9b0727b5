/** An action: what it would do, the word that confirms it, what came of it. */
import { html, useEffect, useRef, useState } from './html.js';
import { connection } from './state.js';

/**
 * @param {{
 *   title: string, args: Record<string, string | number>, danger?: boolean, done?: (result: any) => void,
 *   onClose: () => void
 * }} props
 */
export function Action({ title, args, danger, done, onClose }) {
  const dialog = useRef(/** @type {HTMLDialogElement | null} */ (null));
  const [plan, setPlan] = useState(
    /** @type {{ what: string, confirm: string } | undefined} */ (undefined),
  );
  const [word, setWord] = useState('');
  const [outcome, setOutcome] = useState(
    /** @type {{ text: string, isBad: boolean } | undefined} */ (undefined),
  );
  const [isBusy, setBusy] = useState(false);
  const fail = (/** @type {Error} */ error) => setOutcome({ text: error.message, isBad: true });
  useEffect(() => {
    dialog.current?.showModal();
    connection.ask('act', { ...args, dryRun: true }).then(setPlan, fail);
  }, []);
  const perform = async (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    setBusy(true);
    try {
      const result = await connection.ask('act', {
        ...args,
        dryRun: false,
        confirm: plan?.confirm === word ? word : '',
      });
      setOutcome({ text: `Done. ${result.result ?? ''}`, isBad: false });
      done?.(result);
    } catch (error) {
      fail(/** @type {Error} */ (error));
    }
    setBusy(false);
  };
  const isDone = outcome !== undefined && !outcome.isBad;
  return html`<dialog ref=${dialog} onClose=${onClose} aria-label=${title}>
    <h2>${title}</h2>
    <form onSubmit=${perform}>
      ${plan && html`<p>${plan.what}</p>`}
      ${
        plan &&
        !isDone &&
        html`<label class="field">
        <span>type <b class="mono">${plan.confirm}</b> to confirm</span>
        <input name="confirm" value=${word} autocomplete="off" autofocus
          onInput=${(/** @type {any} */ event) => setWord(event.target.value)} />
      </label>`
      }
      ${outcome && html`<p class=${outcome.isBad ? 'bad' : 'good'} role="status">${outcome.text}</p>`}
      <div class="buttons">
        <button type="button" onClick=${onClose}>${isDone ? 'Close' : 'Cancel'}</button>
        ${
          !isDone &&
          html`<button class=${danger ? 'danger primary' : 'primary'}
          disabled=${isBusy || plan === undefined || word !== plan.confirm}>${title}</button>`
        }
      </div>
    </form>
  </dialog>`;
}
