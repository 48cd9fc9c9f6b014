// Printed is what the table shows, and a sheet for each of its images; or the one in full view.
const sheets = new Map();
const KEPT_SHEETS = 40;
const unfolded = new Set();  // for the paper only

function figure(source, caption, row, boxes) {
  const made = make('figure');
  const frame = make('div', undefined, 'frame');
  const picture = make('img');
  picture.alt = '';
  picture.src = source;
  frame.append(picture);
  if (boxes) {
    const svg = shape('svg', { class: 'boxes' });
    drawBoxes(svg, row, boxes);
    frame.append(svg);
  }
  made.append(frame, make('figcaption', caption));
  return made;
}

function sheetOf(row) {
  const [image, heat, ...rest] = picturesOf(row);
  const views = rest.splice(0, row.views.length);
  const sheet = make('section', undefined, 'sheet');
  const pair = make('div', undefined, 'pair');
  pair.append(figure(image, 'The image, with the boxes of its regions', row, row.upright_boxes),
    figure(heat, 'Heat map', row, row.upright_boxes));
  pair.lastChild.append(byId('legend').content.cloneNode(true));
  const verdict = verdictOf(row) || data.analysis.limits[0];
  sheet.append(make('h2', row.name), make('p', verdict, `verdict ${row.verdict}`));
  for (const text of row.warnings) sheet.append(make('p', text, 'note'));
  sheet.append(pair);
  const more = make('div', undefined, 'more');
  const facts = make('dl');
  facts.append(...factList(factsOf(row)));
  more.append(facts, numberedRegions(row));
  const evidence = make('div', undefined, 'evidence');
  drawEvidence(evidence, row.evidence, rest);
  const others = make('div', undefined, 'others');
  views.forEach((source, place) => others.append(figure(source, row.views[place].title, row)));
  sheet.append(more, others, evidence, make('p', originOf(), 'origin'));
  return sheet;
}

// A sheet can lie on a desk alone.
function originOf() {
  const { checkpoint, checkpoint_sha256: digest, threshold, image_threshold: limit, limits } =
    data.analysis;
  return `mmomni ${data.analysis.versions.join(' and ')}, model ${checkpoint} (SHA-256 ${digest}). `
    + `Pixels are marked above a probability of ${threshold}`
    + (limit ? `, images flagged above a score of ${+limit.value.toPrecision(6)}. ` : '. ')
    + (limit ? `${limits.join(' ')} ` : '')
    + 'A heat map is a hint, not a proof; "not flagged" means that nothing was found.';
}

function numberedRegions(row) {
  const table = make('table');
  const lines = row.regions.slice(0, NUMBERED).map(regionLine);
  if (lines.length) table.append(regionHead(), ...lines);
  const rest = row.num_regions - lines.length;
  if (rest) table.append(make('caption', `and ${rest} smaller region${rest > 1 ? 's' : ''}`));
  return table;
}

function layOut() {
  const one = byId('view').open;
  const rows = one ? [current] : shown.slice(page * PAGE_ROWS, (page + 1) * PAGE_ROWS);
  document.body.classList.toggle('one', one);
  byId('sheets').replaceChildren(...rows.map((row) => {
    if (!sheets.has(row)) sheets.set(row, sheetOf(row));
    return sheets.get(row);
  }));
  for (const folded of document.querySelectorAll('.reading:not([open])')) {
    folded.open = true;
    unfolded.add(folded);
  }
}

// A browser prints pictures that are there already: wait for all of them.
async function printPage() {
  layOut();
  await Promise.all([...byId('sheets').querySelectorAll('img')].map(
    (picture) => picture.decode().catch(() => {})));  // one that is gone prints as nothing
  window.print();
}

byId('print').addEventListener('click', printPage);
byId('print-view').addEventListener('click', printPage);
window.addEventListener('beforeprint', layOut);
window.addEventListener('afterprint', () => {
  for (const folded of unfolded) folded.open = false;
  unfolded.clear();
});
// The menu of the browser asks nobody to wait, so few images are made ready beforehand.
if (data.rows.length <= KEPT_SHEETS) window.addEventListener('load', () => {
  for (const row of data.rows) sheets.set(row, sheetOf(row));
  byId('sheets').replaceChildren(...sheets.values());
});
