'use strict';
for (const chooser of document.querySelectorAll('.chooser')) {
  const panels = [...chooser.children].filter(
    (child) => child.classList.contains('panel'));
  const output = chooser.querySelector(':scope > .control > output');
  const choose = (option) => {
    for (const panel of panels) {
      panel.hidden = panel.dataset.option !== option;
      if (!panel.hidden && output) output.value = panel.dataset.name;
    }
  };
  for (const input of chooser.querySelectorAll(':scope > .control input')) {
    input.addEventListener('input', () => choose(input.value));
    // A browser may have kept what was chosen before a reload.
    if (input.type === 'range' || input.checked) choose(input.value);
  }
}

const root = document.documentElement;
const button = document.getElementById('theme');
const prefersDark = window.matchMedia('(prefers-color-scheme: dark)');
const isDark = () =>
  root.dataset.theme ? root.dataset.theme === 'dark' : prefersDark.matches;
const tell = () => {
  button.textContent = isDark() ? 'Light' : 'Dark';
  button.setAttribute('aria-pressed', String(isDark()));
};
button.addEventListener('click', () => {
  root.dataset.theme = isDark() ? 'light' : 'dark';
  tell();
});
prefersDark.addEventListener('change', tell);
tell();
