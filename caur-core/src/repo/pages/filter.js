'use strict';
const box = document.getElementById('filter');
const count = document.getElementById('count');
const rows = [...document.querySelectorAll('tbody tr')];
const texts = rows.map(row => row.cells[0].textContent.toLowerCase());
function filter() {
  const words = box.value.toLowerCase().split(/\s+/);
  let shown = 0;
  rows.forEach((row, number) => {
    const fits = words.every(word => texts[number].includes(word));
    if (row.hidden === fits) row.hidden = !fits;
    if (fits) shown += 1;
  });
  count.textContent = `${shown} of ${rows.length} packages`;
}
box.addEventListener('input', filter);
document.addEventListener('keydown', event => {
  if (event.key === '/' && document.activeElement !== box) {
    event.preventDefault();
    box.focus();
  } else if (event.key === 'Escape' && document.activeElement === box) {
    box.value = '';
    filter();
  }
});
document.getElementById('server').textContent = new URL('.', location.href).href.replace(/\/$/, '');
box.parentElement.hidden = false;
if (box.value) filter();
