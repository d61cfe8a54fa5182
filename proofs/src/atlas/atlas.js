// Opens the story that the address names, and filters the pipelines. Without this script, stories are opened by hand.
const filter = document.getElementById('filter');

function open() {
  const place = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!place) return;
  // What is asked for is shown, whatever was filtered.
  if (place.closest('[hidden]')) { filter.reset(); apply(); }
  for (let it = place; it; it = it.parentElement) if (it.tagName === 'DETAILS') it.open = true;
  place.scrollIntoView();
}

function apply() {
  const fault = filter.elements.fault.value;
  const semantics = filter.elements.semantics.value;
  const level = filter.elements.level.value;
  const isFault = !['usual', 'none', 'any'].includes(fault);
  const rows = [...document.querySelectorAll('tr[data-page]')];
  let shown = 0;
  for (const row of rows) {
    const cell = row.querySelector(`td[data-under="${fault}"]`);
    const found = cell.dataset[level];
    // A fault that cannot strike has no letter.
    const matches = semantics ? found === semantics : found !== undefined;
    row.hidden = document.getElementById(row.dataset.page).hidden = !matches;
    shown += matches ? 1 : 0;
  }
  for (const it of document.querySelectorAll('#overview [data-under]'))
    it.classList.toggle('chosen', it.dataset.under === fault && (isFault || semantics !== ''));
  for (const story of document.querySelectorAll('details[data-faults]'))
    story.hidden = isFault && !story.dataset.faults.split(' ').includes(fault);
  filter.querySelector('output').textContent = `${shown} of ${rows.length} pipelines`;
}

filter.hidden = false;
filter.addEventListener('change', apply);
filter.addEventListener('submit', (event) => event.preventDefault());
addEventListener('hashchange', open);
// A second click on the same link changes no address.
document.addEventListener('click', (event) => {
  const link = event.target.closest('a[href^="#"]');
  if (link && link.hash === location.hash) { event.preventDefault(); open(); }
});
apply();
open();
