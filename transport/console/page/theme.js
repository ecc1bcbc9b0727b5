/** Dark, light, or as the system has it; what is chosen by hand is remembered. */
import { useEffect, useState } from './html.js';

export function useTheme() {
  const system = matchMedia('(prefers-color-scheme: dark)');
  const wanted = () => localStorage.getItem('theme') ?? (system.matches ? 'dark' : 'light');
  const [theme, setTheme] = useState(wanted);
  useEffect(() => {
    const changed = () => setTheme(wanted());
    system.addEventListener('change', changed);
    return () => system.removeEventListener('change', changed);
  }, []);
  document.documentElement.dataset['theme'] = theme;
  const toggle = () => {
    const other = theme === 'dark' ? 'light' : 'dark';
    localStorage.setItem('theme', other);
    setTheme(other);
  };
  return { theme, toggle };
}
