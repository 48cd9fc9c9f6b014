'use strict';

const LEGENDS = {
  heat_map: 'probability of "tampered"',
  overlay: 'tampered regions, numbered as in the table',
  dct: '|q| of the luma coefficients: black 0, white 20 and more',
};
const COEFFICIENTS = {
  file: "the file's own",
  transcoded: 'of one save at quality 100 in memory',
};
const TABLE_NOTES = {
  file: 'By these steps the luma coefficients of the file were divided when it was saved. '
    + 'Frequencies rise to the right and downwards; small steps mean high quality. What is left of '
    + 'the coefficients is shown above, under "DCT |q|".',
  transcoded: 'The file is no JPEG with luma and has no table of its own; this is the one of the '
    + 'save at quality 100 that the network was shown instead.',
};
const SAVED = {
  report: 'Report (HTML)', mask: 'Mask', heat_map: 'Heat map', overlay: 'Regions', dct: 'DCT |q|',
};
const MOST_REGIONS = 50;

const element = (id) => document.getElementById(id);
let limits = null;
let busy = false;
let uploaded = null;
let urls = {};

// ---- asking the server ----------------------------------------------------------------------

async function ask(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new Error('the server does not answer; is `mmomni serve` still running?');
  }
  const content = await response.json();
  if (!response.ok) throw new Error(content.error);
  return content;
}

async function examine(file, picture = 1) {
  if (busy) return;
  busy = true;
  element('drop').classList.add('busy');
  element('error').hidden = true;
  element('result').hidden = true;
  const start = Date.now();
  let state = {};
  const tick = async () => {
    say(`${doing(state)} ${file.name}: ${Math.round((Date.now() - start) / 1000)} s`);
    try {
      state = await ask('status');
    } catch {
      // The answer to the upload will tell.
    }
  };
  const timer = setInterval(tick, 1000);
  tick();
  try {
    check(file);
    const place = picture > 1 ? `&picture=${picture}` : '';
    show(await ask(`examine?name=${encodeURIComponent(file.name)}${place}`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/octet-stream' },
      body: file,
    }), picture);
    uploaded = file;
  } catch (error) {
    element('error').textContent = error.message;
    element('error').hidden = false;
  } finally {
    clearInterval(timer);
    say('');
    busy = false;
    element('drop').classList.remove('busy');
    element('file').value = '';  // the same file can be chosen again
  }
}

function doing({ images, loading }) {
  if (loading) return 'The model is loaded again; then comes';
  return images > 1 ? `${images} images are here, one is examined at a time; with them`
    : 'Examining';
}

function check(file) {
  if (limits && file.size > limits.max_upload) {
    throw new Error(`${file.name}: expected a file of at most ${megabytes(limits.max_upload)}, `
      + `got ${megabytes(file.size)}; start \`mmomni serve\` with a higher --max-upload-mb, `
      + 'or use `mmomni predict`');
  }
  if (!file.size) throw new Error(`${file.name}: expected an image file, got one of zero bytes`);
}

function megabytes(bytes) {
  return `${(bytes / 2 ** 20).toFixed(1).replace('.0', '')} MB`;
}

function say(text) {
  element('status').textContent = text;
  element('status').hidden = !text;
}

// ---- showing the answer: foreign text enters the page as text only ---------------------------

function add(parent, tag, text) {
  const child = document.createElement(tag);
  if (text !== undefined) child.textContent = text;
  parent.append(child);
  return child;
}

function show(answer, picture) {
  showPictures(answer.pictures ?? [], picture);
  takeFiles(answer.files);
  element('name').textContent = answer.image;
  showVerdict(answer);
  element('warnings').replaceChildren();
  for (const warning of answer.warnings) add(element('warnings'), 'li', warning);
  showFacts(answer);
  showRegions(answer);
  showTable(answer);
  element('original').src = urls.view;
  const [width, height] = answer.size;
  element('viewer').style.setProperty('--aspect', width / height);
  element('marker').setAttribute('viewBox', `0 0 ${width} ${height}`);
  showLayer();
  moveCut();
  element('result').hidden = false;
}

// Pages of a TIFF, pictures of a PDF: one is examined at a time.
function showPictures(names, picture) {
  element('pictures').hidden = names.length < 2;
  element('pictures-note').textContent = `${names.length} pictures in this file; shown is `;
  element('which').replaceChildren();
  names.forEach((name, index) => {
    const option = add(element('which'), 'option', name);
    option.value = index + 1;
    option.selected = index + 1 === picture;
  });
}

function takeFiles(files) {
  Object.values(urls).forEach(URL.revokeObjectURL);
  urls = {};
  element('files').replaceChildren();
  for (const [kind, { name, type, base64 }] of Object.entries(files)) {
    const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
    urls[kind] = URL.createObjectURL(new Blob([bytes], { type }));
    if (!(kind in SAVED)) continue;
    const link = add(element('files'), 'a', SAVED[kind]);
    link.download = name;
    link.href = urls[kind];
  }
}

function showVerdict({ score, verdict, image_threshold: limit }) {
  let text = `Score ${score.toFixed(3)}. No verdict: no calibrated threshold was given.`;
  if (limit) {
    const where = verdict === 'tampered' ? 'above' : 'not above';
    const called = verdict === 'tampered' ? 'Called' : 'Not called';
    text = `${called} tampered: score ${score.toFixed(3)} is ${where} ${limit.value.toFixed(3)}, `
      + `the threshold for ${percent(limit.fpr)} of false alarms.`;
  }
  element('verdict').textContent = text;
  element('verdict').className = verdict ?? '';
}

function showFacts(answer) {
  const facts = {
    score: `${answer.score.toFixed(4)} (${answer.pooling})`,
    'tampered area': percent(answer.tampered_share),
    gate: answer.gate ? `${answer.gate.modality} (${percent(answer.gate.confidence)})` : 'none',
    coefficients: COEFFICIENTS[answer.dct_source],
    size: `${answer.width} x ${answer.height}`
      + (answer.orientation > 1 ? `, EXIF orientation ${answer.orientation}` : ''),
    windows: answer.windows,
    time: `${answer.seconds.toFixed(2)} s`,
    'SHA-256': answer.sha256,
  };
  element('facts').replaceChildren();
  for (const [term, value] of Object.entries(facts)) {
    add(element('facts'), 'dt', term);
    add(element('facts'), 'dd', value).classList.toggle('digest', term === 'SHA-256');
  }
}

function percent(share) {
  return share > 0 && share < 0.001 ? '< 0.1 %' : `${(100 * share).toFixed(1)} %`;
}

function showRegions({ regions, num_regions: total, upright_boxes: boxes }) {
  const body = element('regions').tBodies[0];
  body.replaceChildren();
  const listed = regions.slice(0, MOST_REGIONS);
  listed.forEach(({ box, area, mean_probability: mean }, index) => {
    const row = add(body, 'tr');
    for (const cell of [index + 1, box.join(', '), area, mean.toFixed(3)]) add(row, 'td', cell);
    row.addEventListener('pointerenter', () => mark(boxes[index]));
    row.addEventListener('pointerleave', () => mark(null));
  });
  element('regions').hidden = !total;
  element('regions-note').textContent = !total ? 'None.'
    : 'In pixels of the file as it is stored, largest first.'
      + (total > listed.length ? ` ${total - listed.length} smaller ones are not listed.` : '');
}

function mark(box) {
  element('marker').toggleAttribute('hidden', !box);
  if (!box) return;
  const [x1, y1, x2, y2] = box;
  const sides = { x: x1, y: y1, width: x2 - x1, height: y2 - y1 };
  for (const [side, value] of Object.entries(sides)) {
    element('marker').firstElementChild.setAttribute(side, value);
  }
}

function showTable({ quantisation_table: table, dct_source: source }) {
  element('table').replaceChildren();
  for (const steps of table) {
    const row = add(element('table'), 'tr');
    for (const step of steps) {
      const cell = add(row, 'td', step);
      const share = Math.min(step, 100) / 100;
      cell.style.backgroundColor = `rgb(36 68 102 / ${0.75 * share})`;
      cell.classList.toggle('dark', share > 0.6);
    }
  }
  element('table-note').textContent = TABLE_NOTES[source];
}

// ---- the slider -----------------------------------------------------------------------------

function showLayer() {
  const layer = document.querySelector('input[name=layer]:checked').value;
  element('layer').src = urls[layer];
  element('layer').alt = element('legend').textContent = LEGENDS[layer];
  element('legend').className = element('layer').className = layer;
}

function moveCut() {
  element('viewer').style.setProperty('--cut', `${element('cut').value}%`);
}

// ---- wiring ---------------------------------------------------------------------------------

function takeDrops() {
  const drop = element('drop');
  element('file').addEventListener('change', ({ target }) => {
    if (target.files.length) examine(target.files[0]);
  });
  // Anywhere on the page: a browser would leave it and open the file instead.
  document.addEventListener('dragover', (event) => {
    event.preventDefault();
    drop.classList.add('over');
  });
  document.addEventListener('dragleave', () => drop.classList.remove('over'));
  document.addEventListener('drop', (event) => {
    event.preventDefault();
    drop.classList.remove('over');
    if (event.dataTransfer.files.length) examine(event.dataTransfer.files[0]);
  });
}

async function start() {
  takeDrops();
  element('cut').addEventListener('input', moveCut);
  element('which').addEventListener('change', ({ target }) => {
    if (uploaded) examine(uploaded, Number(target.value));
  });
  element('layers').addEventListener('change', showLayer);
  try {
    limits = await ask('about');
    element('about').textContent = `mmomni ${limits.version}, checkpoint ${limits.checkpoint}`;
    element('limits').textContent = `At most ${megabytes(limits.max_upload)} and `
      + `${limits.max_megapixels} megapixels`
      + (limits.timeout ? `, and ${limits.timeout} seconds of work. ` : '. ')
      + 'Nothing leaves this server and nothing is kept.';
  } catch (error) {
    element('error').textContent = error.message;
    element('error').hidden = false;
  }
}

start();
