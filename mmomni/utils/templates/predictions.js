// The report: a table of images and a full view of each.
const PAGE_ROWS = 100;
const data = JSON.parse(byId('data').textContent);
const COLUMNS = [
  { title: 'image', key: (row) => row.name.toLowerCase(), word: true },
  { title: 'score', key: (row) => row.score },
  { title: 'verdict', key: (row) => verdictOf(row), word: true, absent: !data.verdicts },
  { title: 'tampered area', key: (row) => row.tampered_share },
  { title: 'regions', key: (row) => row.num_regions },
  { title: 'gate', key: (row) => (row.gate ? row.gate.modality : ''), word: true },
  { title: 'size', key: (row) => row.width * row.height },
].filter((column) => !column.absent);
const verdictOf = (row) => (row.verdict && data.verdicts ? data.analysis.words[row.verdict] : '');
let shown = data.rows.slice();
let order = { column: 1, direction: -1 };
let page = 0;
let current = null;

// ---- table ----------------------------------------------------------------------------------

function drawHead() {
  const cells = COLUMNS.map((column, number) => {
    const cell = make('th', undefined, column.word ? 'word' : '');
    cell.title = MEANINGS.get(column.title) ?? '';
    if (order.column === number)
      cell.setAttribute('aria-sort', order.direction > 0 ? 'ascending' : 'descending');
    const button = make('button', column.title);
    button.type = 'button';
    button.addEventListener('click', () => sortBy(number));
    cell.append(button);
    return cell;
  });
  byId('head').replaceChildren(make('th'), ...cells);
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
  [row.name, row.sha256, verdictOf(row), row.gate && row.gate.modality, row.dct_source,
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
  const line = make('tr');
  const preview = make('td', undefined, 'preview');
  if (row.thumbnail) {
    const picture = make('img');
    picture.src = row.thumbnail;
    picture.alt = '';
    preview.append(picture);
  }
  const name = make('td', undefined, 'word name');
  const button = make('button', row.name, row.warnings.length ? 'warned' : '');
  button.type = 'button';
  button.title = row.warnings.join('\n');
  name.append(button);
  const score = make('td');
  const bar = make('span', undefined, 'score');
  const filled = make('span');
  filled.style.width = `${100 * row.score}%`;
  bar.append(filled);
  score.append(bar, row.score.toFixed(4));
  line.append(preview, name, score);
  if (data.verdicts) line.append(make('td', verdictOf(row), `word verdict ${row.verdict}`));
  line.append(
    make('td', percent(row.tampered_share)), make('td', row.num_regions),
    make('td', gate(row), 'word gate'), make('td', `${row.width} \u00d7 ${row.height}`));
  // What stands above the column, where there is no room for columns.
  COLUMNS.forEach((column, place) => { line.children[place + 1].dataset.label = column.title; });
  line.addEventListener('click', () => open(row));
  return line;
}

function turn(pages) {
  page += pages;
  drawRows();
  window.scrollTo(0, 0);
}

// ---- full view ------------------------------------------------------------------------------

const TABS = [{ name: 'heat_map', title: 'Heat map' }];

// The image, its heat map, its other views and the pictures of its evidence, in this order.
function picturesOf(row) {
  const embedded = byId(`view-${row.number}`);
  return embedded ? JSON.parse(embedded.textContent) : row.pictures;
}

// What a person does is an entry of the history, so that the way back leads through it.
function open(row) {
  const address = `#${encodeURIComponent(row.name)}`;
  const kind = byId('view').open ? 'replaceState' : 'pushState';
  if (location.hash !== address) history[kind](null, '', address);
  show(row);
}

function show(row) {
  current = row;
  const pictures = picturesOf(row);
  byId('missing').hidden = true;
  byId('image').hidden = false;
  byId('image').src = pictures[0];
  drawTabs(row, pictures);
  byId('view-title').textContent = row.name;
  byId('verdict').textContent = verdictOf(row) || data.analysis.limits[0];
  byId('verdict').className = row.verdict ?? '';
  byId('warnings').replaceChildren(...row.warnings.map((text) => make('li', text)));
  byId('facts').replaceChildren(...factList(factsOf(row)));
  drawRegions(row);
  drawEvidence(byId('evidence'), row.evidence, pictures.slice(2 + row.views.length));
  drawLinks(row);
  const place = shown.indexOf(row);
  byId('previous').disabled = place <= 0;
  byId('next').disabled = place < 0 || place === shown.length - 1;
  if (!byId('view').open) {
    byId('view').showModal();
    byId('slider').focus();
  }
  byId('view').scrollTop = 0;  // evidence of the image before may have been read
}

function drawTabs(row, pictures) {
  const tabs = [...TABS, ...row.views];
  byId('tabs').hidden = tabs.length < 2;
  byId('tabs').replaceChildren(...tabs.map((tab, number) => {
    const label = make('label');
    const choice = make('input');
    Object.assign(choice, { type: 'radio', name: 'tab', checked: number === 0 });
    choice.addEventListener('change', () => chooseTab(tab, pictures[number + 1]));
    label.append(choice, tab.title);
    return label;
  }));
  chooseTab(tabs[0], pictures[1]);
}

function chooseTab(tab, source) {
  const heat = tab.name === 'heat_map' && !tab.file;
  byId('heat').hidden = false;
  byId('missing').hidden = !byId('image').hidden;
  byId('heat').src = source;
  byId('heat').alt = tab.title;
  byId('right-name').textContent = heat ? 'heat map' : tab.title;
  byId('map-legend').hidden = !heat;
  byId('explanation').textContent = tab.explanation ?? '';
}

function drawRegions(row) {
  const lines = row.regions.map(regionLine);
  byId('regions').replaceChildren(...(lines.length ? [regionHead(), ...lines] : []));
  drawBoxes(byId('boxes'), row, row.upright_boxes);
}

function drawLinks(row) {
  byId('links').replaceChildren(...Object.entries(row.files).map(([kind, file]) => {
    const link = make('a', kind.replace('_', ' '));
    link.href = file.split('/').map(encodeURIComponent).join('/');
    link.target = '_blank';
    return link;
  }));
}

function slide() {
  const share = byId('slider').value;
  byId('heat').style.clipPath = `inset(0 0 0 ${share}%)`;
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
byId('view').addEventListener('close', () => {
  if (location.hash) history.pushState(null, '', '#');
});

// A link with the name of an image behind # opens it; back and forward lead from one to the next.
function follow() {
  let linked = '';
  try {
    linked = decodeURIComponent(location.hash.slice(1));
  } catch (error) {
    if (!(error instanceof URIError)) throw error;  // a malformed link opens nothing
  }
  const row = linked && data.rows.find(({ name }) => name === linked);
  if (row) show(row);
  else if (byId('view').open) byId('view').close();
}

keepNumbersReadable(byId('boxes'));
drawCard(byId('card-content'), data.analysis);
slide();
update();
window.addEventListener('hashchange', follow);
follow();
