'use strict';
// Names of files are foreign text: they enter the page through textContent and setAttribute only.
const PAGE_ROWS = 100;
const byId = (id) => document.getElementById(id);
const data = JSON.parse(byId('data').textContent);
const percent = (share) => (share > 0 && share < 0.001 ? '< 0.1' : (100 * share).toFixed(1)) + ' %';
const COLUMNS = [
  { title: 'image', key: (row) => row.name.toLowerCase(), word: true },
  { title: 'score', key: (row) => row.score },
  { title: 'verdict', key: (row) => verdictOf(row), word: true, absent: !data.verdicts },
  { title: 'tampered area', key: (row) => row.tampered_share },
  { title: 'regions', key: (row) => row.num_regions },
  { title: 'gate', key: (row) => (row.gate ? row.gate.modality : ''), word: true },
  { title: 'size', key: (row) => row.width * row.height },
].filter((column) => !column.absent);
// Below a threshold nothing is known to be authentic.
function verdictOf(row) {
  return row.verdict === 'authentic' ? 'not above the threshold' : row.verdict || '';
}
let shown = data.rows.slice();
let order = { column: 1, direction: -1 };
let page = 0;
let current = null;

function element(tag, text, className) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

// ---- table ----------------------------------------------------------------------------------

function drawHead() {
  const cells = COLUMNS.map((column, number) => {
    const cell = element('th', undefined, column.word ? 'word' : '');
    if (order.column === number)
      cell.setAttribute('aria-sort', order.direction > 0 ? 'ascending' : 'descending');
    const button = element('button', column.title);
    button.type = 'button';
    button.addEventListener('click', () => sortBy(number));
    cell.append(button);
    return cell;
  });
  byId('head').replaceChildren(element('th'), ...cells);
}

function sortBy(number) {
  // Words rise first, numbers fall first: what is suspicious is on top.
  const first = COLUMNS[number].word ? 1 : -1;
  order = { column: number, direction: order.column === number ? -order.direction : first };
  update();
  byId('head').children[number + 1].firstChild.focus();
}

function compare(a, b) {
  const key = COLUMNS[order.column].key;
  const [x, y] = [key(a), key(b)];
  if (x !== y) return (x < y ? -1 : 1) * order.direction;
  return a.name < b.name ? -1 : 1;
}

const searchable = (row) =>
  [row.name, row.path, verdictOf(row), row.gate && row.gate.modality, row.dct_source,
    `${row.width}x${row.height}`, ...row.warnings].join('\n').toLowerCase();

function update() {
  const words = byId('filter').value.toLowerCase().split(/\s+/).filter(Boolean);
  shown = data.rows.filter((row) => {
    row.text = row.text || searchable(row);
    return words.every((word) => row.text.includes(word));
  });
  shown.sort(compare);
  page = 0;
  drawHead();
  drawRows();
}

function drawRows() {
  const pages = Math.max(1, Math.ceil(shown.length / PAGE_ROWS));
  const visible = shown.slice(page * PAGE_ROWS, (page + 1) * PAGE_ROWS);
  byId('rows').replaceChildren(...visible.map(drawRow));
  byId('count').textContent = `${shown.length} of ${data.rows.length} images`;
  byId('page').textContent = `page ${page + 1} of ${pages}`;
  byId('previous-page').disabled = page === 0;
  byId('next-page').disabled = page === pages - 1;
}

function drawRow(row) {
  const line = element('tr');
  const preview = element('td', undefined, 'preview');
  if (row.thumbnail) {
    const picture = element('img');
    picture.src = row.thumbnail;
    picture.alt = '';
    preview.append(picture);
  }
  const name = element('td', undefined, 'word name');
  const button = element('button', row.name, row.warnings.length ? 'warned' : '');
  button.type = 'button';
  button.title = row.warnings.join('\n');
  name.append(button);
  const score = element('td');
  const bar = element('span', undefined, 'score');
  const filled = element('span');
  filled.style.width = `${100 * row.score}%`;
  bar.append(filled);
  score.append(bar, row.score.toFixed(3));
  line.append(preview, name, score);
  if (data.verdicts) line.append(element('td', verdictOf(row), `word ${row.verdict}`));
  line.append(
    element('td', percent(row.tampered_share)), element('td', row.num_regions),
    element('td', gate(row), 'word'), element('td', `${row.width} \u00d7 ${row.height}`));
  line.addEventListener('click', () => open(row));
  return line;
}

const gate = (row) =>
  row.gate ? `${row.gate.modality}, ${(100 * row.gate.confidence).toFixed(0)} %` : '\u2013';

function turn(pages) {
  page += pages;
  drawRows();
  window.scrollTo(0, 0);
}

// ---- full view ------------------------------------------------------------------------------

function open(row) {
  current = row;
  const embedded = byId(`view-${row.number}`);
  const pictures = embedded ? JSON.parse(embedded.textContent) : row.pictures;
  byId('missing').hidden = true;
  for (const [id, source] of [['image', pictures[0]], ['heat', pictures[1]]]) {
    byId(id).hidden = false;
    byId(id).src = source;
  }
  byId('view-title').textContent = row.name;
  byId('warnings').replaceChildren(...row.warnings.map((text) => element('li', text)));
  drawFacts(row);
  drawRegions(row);
  drawLinks(row);
  const place = shown.indexOf(row);
  byId('previous').disabled = place <= 0;
  byId('next').disabled = place < 0 || place === shown.length - 1;
  history.replaceState(null, '', `#${encodeURIComponent(row.name)}`);
  if (!byId('view').open) {
    byId('view').showModal();
    byId('slider').focus();
  }
}

function drawFacts(row) {
  const facts = {
    score: `${row.score.toFixed(4)} (${row.pooling})`,
    verdict: verdictOf(row) || 'none: no calibrated threshold was given',
    'tampered area': percent(row.tampered_share),
    gate: gate(row),
    coefficients: row.dct_source,
    size: `${row.width} \u00d7 ${row.height}, EXIF orientation ${row.orientation}`,
    windows: row.windows,
    time: `${row.seconds.toFixed(2)} s`,
    file: row.path,
    'SHA-256': row.sha256,
  };
  byId('facts').replaceChildren(...Object.entries(facts).flatMap(
    ([name, value]) => [element('dt', name), element('dd', value)]));
}

function drawRegions(row) {
  const head = element('tr');
  head.append(...['', 'x1, y1, x2, y2', 'pixels', 'mean p'].map((text) => element('th', text)));
  const lines = row.regions.map((region, number) => {
    const line = element('tr');
    line.append(element('td', number + 1), element('td', region.box.join(', ')),
      element('td', region.area), element('td', region.mean_probability.toFixed(3)));
    return line;
  });
  byId('regions').replaceChildren(...(lines.length ? [head, ...lines] : []));
  const turned = row.orientation > 4;
  const [width, height] = turned ? [row.height, row.width] : [row.width, row.height];
  const svg = byId('boxes');
  svg.setAttribute('viewBox', `0 0 ${width} ${height}`);
  svg.setAttribute('preserveAspectRatio', 'none');
  const font = Math.max(width, height) / 36;
  svg.replaceChildren(...row.upright_boxes.flatMap(([x1, y1, x2, y2], number) => {
    const box = shape('rect', { x: x1, y: y1, width: x2 - x1, height: y2 - y1 });
    const at = { x: x1 + font / 4, y: y1 + font, 'font-size': font };
    const text = shape('text', at);
    text.textContent = number + 1;
    return [box, text];
  }));
}

function shape(tag, attributes) {
  const made = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

function drawLinks(row) {
  byId('links').replaceChildren(...Object.entries(row.files).map(([kind, file]) => {
    const link = element('a', kind.replace('_', ' '));
    link.href = file.split('/').map(encodeURIComponent).join('/');
    link.target = '_blank';
    return link;
  }));
}

function slide() {
  const share = byId('slider').value;
  byId('heat').style.clipPath = `inset(0 ${100 - share}% 0 0)`;
  byId('edge').style.left = `${share}%`;
}

function step(by) {
  const row = shown[shown.indexOf(current) + by];
  if (row) open(row);
}

function drag(event) {
  if (event.buttons !== 1) return;
  const frame = byId('image').getBoundingClientRect();
  byId('slider').value = (100 * (event.clientX - frame.left)) / frame.width;
  slide();
}

for (const id of ['image', 'heat'])
  byId(id).addEventListener('error', () => {
    byId(id).hidden = true;
    byId('missing').hidden = false;
  });
for (const kind of ['pointerdown', 'pointermove'])
  document.querySelector('.pictures').addEventListener(kind, drag);
for (const id of ['image', 'heat']) byId(id).draggable = false;
byId('filter').addEventListener('input', update);
byId('previous-page').addEventListener('click', () => turn(-1));
byId('next-page').addEventListener('click', () => turn(1));
byId('slider').addEventListener('input', slide);
byId('show-boxes').addEventListener('change', (event) => {
  byId('boxes').style.display = event.target.checked ? '' : 'none';
});
byId('previous').addEventListener('click', () => step(-1));
byId('next').addEventListener('click', () => step(1));
byId('close').addEventListener('click', () => byId('view').close());
byId('view').addEventListener('keydown', (event) => {
  if (event.key === 'n') step(1);
  if (event.key === 'p') step(-1);
});
byId('view').addEventListener('close', () => history.replaceState(null, '', '#'));
slide();
update();
// A link with the name of an image behind # opens it.
let linked = '';
try {
  linked = decodeURIComponent(location.hash.slice(1));
} catch (error) {
  if (!(error instanceof URIError)) throw error;  // a malformed link opens nothing
}
if (linked) data.rows.filter((row) => row.name === linked).slice(0, 1).forEach(open);
