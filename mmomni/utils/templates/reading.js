'use strict';
// Of every page that shows heat maps. Foreign text enters a page through textContent and
// setAttribute only.
const byId = (id) => document.getElementById(id);
const percent = (share) => (share > 0 && share < 0.001 ? '< 0.1' : (100 * share).toFixed(1)) + ' %';
const rate = (share) => `${+(100 * share).toPrecision(4)} %`;
const NUMBERED = 10;

function make(tag, text, className) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

// ---- words ----------------------------------------------------------------------------------

const MEANINGS = new Map([...document.querySelectorAll('#glossary dt')].map(
  (word) => [word.textContent, word.nextElementSibling.textContent]));

// "Software (EXIF)" and "Earlier grid of 8x8 blocks, other than its own" mean what they begin with.
const meaningOf = (text) => MEANINGS.get(text) ?? MEANINGS.get(text.split(/, | \(/)[0]);

// A heading or term with the words of the glossary as its tooltip.
function term(tag, text, className) {
  const made = make(tag, undefined, className);
  const meaning = meaningOf(text);
  const inner = make('span', text, meaning ? 'term' : '');
  if (meaning) inner.title = meaning;
  made.append(inner);
  return made;
}

const gate = (row) =>
  row.gate ? `${row.gate.modality}, ${(100 * row.gate.confidence).toFixed(0)}\u00a0%` : '\u2013';

function factList(facts) {
  return facts.flatMap(([name, value, note]) => {
    const described = make('dd', value);
    if (note) described.append(make('small', note));
    return [term('dt', name), described];
  });
}

const COEFFICIENTS = {
  file: "file: the file's own",
  transcoded: 'transcoded: those of one save at quality 100 in memory',
};

function factsOf(row) {
  const turned = row.orientation > 1 ? `, EXIF orientation ${row.orientation}` : '';
  return [
    ['score', `${row.score.toFixed(4)} (${row.pooling})`],
    ['tampered area', percent(row.tampered_share)],
    ['gate', row.gate ? gate(row) : 'none'],
    ['coefficients', COEFFICIENTS[row.dct_source] ?? row.dct_source],
    ['size', `${row.width} \u00d7 ${row.height}${turned}`],
    ['windows', row.windows],
    ['time', `${row.seconds.toFixed(2)} s`],
    ...(row.examined_at ? [['examined', dateOf(row.examined_at)]] : []),
    ['SHA-256', row.sha256],
  ];
}

const dateOf = (iso) => iso.replace('T', ' ').replace(/\+00:00$/, ' UTC');

// ---- regions --------------------------------------------------------------------------------

function shape(tag, attributes) {
  const made = document.createElementNS(byId('boxes').namespaceURI, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

const uprightSize = (row) =>
  (row.orientation > 4 ? [row.height, row.width] : [row.width, row.height]);

// Boxes of all regions given, numbers of the largest ones.
function drawBoxes(svg, row, boxes) {
  const [width, height] = uprightSize(row);
  svg.setAttribute('viewBox', `0 0 ${width} ${height}`);
  svg.setAttribute('preserveAspectRatio', 'none');
  const drawn = boxes.flatMap(([x1, y1, x2, y2]) => [
    shape('path', { d: `M${x1} ${y1}H${x2}V${y2}H${x1}Z` }),
    shape('rect', { x: x1, y: y1, width: x2 - x1, height: y2 - y1 })]);
  const numbers = boxes.slice(0, NUMBERED).map(([x1, y1], number) => {
    const text = shape('text', { 'data-x': x1, 'data-y': y1 });
    text.textContent = number + 1;
    return text;
  });
  svg.replaceChildren(...drawn, ...numbers.reverse());  // the largest on top
  placeNumbers(svg, Math.max(width / 28, height / 36));
}

// Letters of a height in pixels of the image, which is shown in any size.
function placeNumbers(svg, height) {
  const [, , width, bottom] = svg.getAttribute('viewBox').split(' ').map(Number);
  for (const text of svg.querySelectorAll('text')) {
    const letters = text.textContent.length;
    const x = Math.min(Number(text.dataset.x) + 0.25 * height, width - 0.75 * letters * height);
    const y = Math.min(Number(text.dataset.y) + 1.1 * height, bottom - 0.2 * height);
    text.setAttribute('font-size', height);
    text.setAttribute('x', Math.max(0.1 * height, x));
    text.setAttribute('y', y);
  }
}

const NUMBER_PIXELS = 15;

// The numbers keep their size on the screen, whatever that of the picture.
function keepNumbersReadable(svg) {
  new ResizeObserver(() => {
    const width = Number((svg.getAttribute('viewBox') ?? '').split(' ')[2]);
    if (width && svg.clientWidth) placeNumbers(svg, (NUMBER_PIXELS * width) / svg.clientWidth);
  }).observe(svg);
}

const REGION_HEADS = ['', 'x1, y1, x2, y2', 'pixels', 'mean p'];

function regionHead() {
  const head = make('tr');
  head.append(...REGION_HEADS.map((text) => term('th', text)));
  return head;
}

function regionLine(region, number) {
  const line = make('tr');
  const first = make('td');
  if (number < NUMBERED) first.append(make('span', number + 1, 'number'));
  line.append(first, make('td', region.box.join(', ')),
    make('td', region.area.toLocaleString('en')), make('td', region.mean_probability.toFixed(3)));
  return line;
}

// ---- what else the file tells ---------------------------------------------------------------

// `sources`: the addresses of all pictures, in their order.
function drawEvidence(parent, sections, sources = []) {
  const left = [...sources];
  parent.replaceChildren(...(sections ?? []).flatMap(({ title, facts, pictures = [] }) => {
    const list = make('dl');
    list.append(...factList(facts.map(({ term: name, value, note }) => [name, value, note])));
    return [make('h3', title), list, ...pictures.map(({ shows }) => pictureOf(left.shift(), shows))];
  }));
}

function pictureOf(source, shows) {
  const figure = make('figure');
  const image = make('img');
  Object.assign(image, { src: source, alt: shows });
  figure.append(image, term('figcaption', shows));
  return figure;
}

// ---- the model ------------------------------------------------------------------------------

const WORDS = {
  name: 'name', licence: 'licence', date: 'published', intended_use: 'made for', limits: 'limits',
};

function drawCard(parent, { model, checkpoint, checkpoint_sha256: digest }) {
  const facts = [['file', `${checkpoint} (SHA-256 ${digest})`]];
  for (const [key, word] of Object.entries(WORDS)) if (model[key]) facts.push([word, model[key]]);
  if (model.trained_on.length) facts.push(['trained on', model.trained_on.join(', ')]);
  const alarms = model.calibrations.map(({ fpr, num_images: images, expected_fpr: expected,
    expected_fpr_std: deviation, domain }) => `${domain ? `${domain}: ` : ''}--fpr ${fpr}: `
    + (images === null ? 'on an unknown number of images'
      : `${(100 * expected).toFixed(1)} % give or take ${(100 * deviation).toFixed(1)} % to be `
        + `expected, from ${images} images`));
  facts.push(['false alarms', alarms.join('; ')
    || 'not known: this model has no calibration, nobody has measured how often it is wrong']);
  const list = make('dl');
  list.append(...factList(facts));
  const card = make('div', undefined, 'card');
  card.append(list, testsOf(model.tested_on));
  parent.replaceChildren(card);
}

function testsOf(tests) {
  if (!tests.length) return make('p', 'The model does not say what it was tested on.');
  const scroll = make('div', undefined, 'scroll');
  const table = make('table');
  table.append(make('caption', 'Tested on: F1, IoU and AUC of pixels in changed images, 1 at best; '
    + 'area marked in unchanged images, 0 at best'));
  const heads = ['set', 'images', 'F1', 'IoU', 'AUC', 'false area'];
  const head = make('tr');
  head.append(...heads.map((text, place) => make('th', text, place ? '' : 'word')));
  table.append(head);
  for (const test of tests) {
    const line = make('tr');
    const [name, domain] = [test.name, test.domain];
    const mean = test.mean_of ? ` (mean of ${test.mean_of.join(', ')})` : '';
    line.append(make('td', (domain && domain !== name ? `${domain}: ${name}` : name) + mean, 'word'),
      make('td', test.images ?? '\u2013'));
    for (const key of ['F1', 'IoU', 'AUC'])
      line.append(make('td', key in test ? test[key].toFixed(2) : '\u2013'));
    line.append(make('td', 'false_area' in test ? percent(test.false_area) : '\u2013'));
    table.append(line);
  }
  scroll.append(table);
  return scroll;
}
