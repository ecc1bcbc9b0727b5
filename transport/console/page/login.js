/** Says who looks: a user of the Redis port, or the token of the node's token file. */
import { html, useEffect, useRef, useState } from './html.js';
import { connection, useConnection } from './state.js';

/** @param {{ onClose: () => void }} props */
export function Login({ onClose }) {
  const { welcome } = useConnection();
  const dialog = useRef(/** @type {HTMLDialogElement | null} */ (null));
  const [isToken, setToken] = useState(false);
  const [isSent, setSent] = useState(false);
  useEffect(() => dialog.current?.showModal(), []);
  useEffect(() => {
    if (isSent && welcome?.refused === undefined) onClose();
  }, [welcome]);
  const submit = (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    const form = new FormData(/** @type {HTMLFormElement} */ (event.target));
    const text = (/** @type {string} */ name) => String(form.get(name) ?? '');
    setSent(true);
    connection.login(
      isToken
        ? { type: 'token', token: text('token').trim() }
        : { type: 'password', user: text('user'), password: text('password') },
    );
  };
  return html`<dialog ref=${dialog} onClose=${onClose} aria-label="log in">
    <h2>Log in</h2>
    <form onSubmit=${submit}>
      <div class="tabs">
        <button type="button" aria-pressed=${!isToken} onClick=${() => setToken(false)}>User</button>
        <button type="button" aria-pressed=${isToken} onClick=${() => setToken(true)}>Token</button>
      </div>
      <p class="muted">${
        isToken
          ? 'The token is in the file that the log of the node names.'
          : 'Users are those of the Redis port: ACL SETUSER.'
      }</p>
      ${
        isToken
          ? html`<label class="field"><span>token</span><input name="token" type="password" autocomplete="off" /></label>`
          : html`<label class="field"><span>user</span><input name="user" autocomplete="username" /></label>
              <label class="field"><span>password</span><input name="password" type="password" autocomplete="current-password" /></label>`
      }
      ${isSent && welcome?.refused && html`<p class="bad" role="alert">${welcome.refused}</p>`}
      <div class="buttons">
        <button type="button" onClick=${onClose}>Cancel</button>
        <button class="primary">Log in</button>
      </div>
    </form>
  </dialog>`;
}
