// The page of `mmomni serve`.
const LEGENDS = {
  heat_map: 'probability that a pixel was changed',
  overlay: 'regions above the threshold, numbered as in the table',
  dct: '|q| of the luma coefficients: black 0, white 20 and more',
};
const TABLE_NOTES = {
  file: 'By these steps the luma coefficients of the file were divided when it was saved. '
    + 'Frequencies rise to the right and downwards; small steps mean high quality. What is left of '
    + 'the coefficients is shown above, under "DCT |q|".',
  transcoded: 'The file is no ordinary JPEG, of which the table could be read; this is the one of the '
    + 'save at quality 100 that the network was shown instead.',
};
const SAVED = {
  report: 'Report (HTML)', mask: 'Mask', heat_map: 'Heat map', overlay: 'Regions', dct: 'DCT |q|',
};
const MOST_REGIONS = 50;

let limits = null;
let busy = false;
let uploaded = null;
let urls = {};
let legends = LEGENDS;

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
  byId('drop').classList.add('busy');
  byId('error').hidden = true;
  byId('result').hidden = true;
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
    const place = (picture > 1 ? `&picture=${picture}` : '')
      + (byId('with-views').checked ? '&views=1' : '');
    show(await ask(`examine?name=${encodeURIComponent(file.name)}${place}`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/octet-stream' },
      body: file,
    }), picture);
    uploaded = file;
  } catch (error) {
    byId('error').textContent = error.message;
    byId('error').hidden = false;
  } finally {
    clearInterval(timer);
    say('');
    busy = false;
    byId('drop').classList.remove('busy');
    byId('file').value = '';  // the same file can be chosen again
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
  byId('status').textContent = text;
  byId('status').hidden = !text;
}

// ---- showing the answer: foreign text enters the page as text only ---------------------------

function add(parent, tag, text) {
  parent.append(make(tag, text));
  return parent.lastChild;
}

function show(answer, picture) {
  showPictures(answer.pictures ?? [], picture);
  takeFiles(answer.files);
  showViews(answer.views ?? []);
  byId('name').textContent = answer.image;
  showVerdict(answer);
  byId('warnings').replaceChildren();
  for (const warning of answer.warnings) add(byId('warnings'), 'li', warning);
  showFacts(answer);
  showRegions(answer);
  drawEvidence(byId('evidence'), answer.evidence, (answer.evidence ?? [])
    .flatMap(({ pictures }) => pictures ?? []).map(({ file }) => urls[file]));
  drawCard(byId('card-content'), answer.analysis);
  showTable(answer);
  byId('original').src = urls.view;
  const [width, height] = answer.size;
  byId('viewer').style.setProperty('--aspect', width / height);
  byId('marker').setAttribute('viewBox', `0 0 ${width} ${height}`);
  showLayer();
  moveCut();
  byId('result').hidden = false;
}

// Pages of a TIFF, pictures of a PDF: one is examined at a time.
function showPictures(names, picture) {
  byId('pictures').hidden = names.length < 2;
  byId('pictures-note').textContent = `${names.length} pictures in this file; shown is `;
  byId('which').replaceChildren();
  names.forEach((name, index) => {
    const option = add(byId('which'), 'option', name);
    option.value = index + 1;
    option.selected = index + 1 === picture;
  });
}

// Second opinions beside the heat map, where the answer has any.
function showViews(views) {
  legends = { ...LEGENDS };
  byId('views').replaceChildren();
  for (const { title, explanation, file } of views) {
    legends[file] = explanation;
    const label = add(byId('views'), 'label');
    const choice = add(label, 'input');
    Object.assign(choice, { type: 'radio', name: 'layer', value: file });
    label.append(title);
  }
  if (!document.querySelector('input[name=layer]:checked'))
    document.querySelector('input[name=layer]').checked = true;
}

function takeFiles(files) {
  Object.values(urls).forEach(URL.revokeObjectURL);
  urls = {};
  byId('files').replaceChildren();
  for (const [kind, { name, type, base64 }] of Object.entries(files)) {
    const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
    urls[kind] = URL.createObjectURL(new Blob([bytes], { type }));
    if (!(kind in SAVED)) continue;
    const link = add(byId('files'), 'a', SAVED[kind]);
    link.download = name;
    link.href = urls[kind];
  }
}

function showVerdict({ score, verdict, image_threshold: limit, analysis }) {
  const [words, limits] = [analysis.words, analysis.limits];
  let text = `Score ${score.toFixed(4)}. ${limits[0] ?? ''}`;
  if (limit) {
    const where = verdict === 'tampered' ? 'above' : 'not above';
    const [first, ...rest] = words[verdict];
    text = `${first.toUpperCase()}${rest.join('')}: score ${score.toFixed(4)} is ${where} `
      + `${limit.value.toFixed(4)}, the threshold for ${rate(limit.fpr)}.`
      + (verdict === 'tampered' ? '' : ' That proves nothing: traces may be gone or unknown.');
  }
  byId('verdict').textContent = text;
  byId('verdict').className = verdict ?? '';
  byId('caution').hidden = !limit || !limits.length;
  byId('caution').textContent = limits.join(' ');
}

function showFacts(answer) {
  byId('facts').replaceChildren(...factList(factsOf(answer)));
  byId('facts').lastElementChild.classList.add('digest');
}

function showRegions(answer) {
  const { regions, num_regions: total, upright_boxes: boxes } = answer;
  const body = byId('regions').tBodies[0];
  byId('regions').tHead.replaceChildren(regionHead());
  const listed = regions.slice(0, MOST_REGIONS);
  body.replaceChildren(...listed.map((region, index) => {
    const row = regionLine(region, index);
    row.addEventListener('pointerenter', () => mark(boxes[index]));
    row.addEventListener('pointerleave', () => mark(null));
    return row;
  }));
  drawBoxes(byId('boxes'), answer, boxes.slice(0, MOST_REGIONS));
  byId('regions').hidden = !total;
  byId('regions-note').textContent = !total ? 'None.'
    : 'In pixels of the file as it is stored, largest first.'
      + (total > listed.length ? ` ${total - listed.length} smaller ones are not listed.` : '');
}

function mark(box) {
  byId('marker').toggleAttribute('hidden', !box);
  if (!box) return;
  const [x1, y1, x2, y2] = box;
  const sides = { x: x1, y: y1, width: x2 - x1, height: y2 - y1 };
  for (const [side, value] of Object.entries(sides)) {
    byId('marker').firstElementChild.setAttribute(side, value);
  }
}

function showTable({ quantisation_table: table, dct_source: source }) {
  byId('table').replaceChildren();
  for (const steps of table) {
    const row = add(byId('table'), 'tr');
    for (const step of steps) {
      const cell = add(row, 'td', step);
      const share = Math.min(step, 100) / 100;
      cell.style.backgroundColor = `rgb(36 68 102 / ${0.75 * share})`;
      cell.classList.toggle('dark', share > 0.6);
    }
  }
  byId('table-note').textContent = TABLE_NOTES[source];
}

// ---- the slider -----------------------------------------------------------------------------

function showLayer() {
  const layer = document.querySelector('input[name=layer]:checked').value;
  byId('layer').src = urls[layer];
  byId('layer').alt = byId('legend').textContent = legends[layer];
  byId('legend').className = byId('layer').className = layer;
  byId('map-legend').hidden = layer !== 'heat_map';
  showBoxes();
}

// The picture of the regions has their outlines itself.
function showBoxes() {
  byId('boxes').toggleAttribute(
    'hidden', byId('legend').className === 'overlay' || !byId('show-boxes').checked);
}

function moveCut() {
  byId('viewer').style.setProperty('--cut', `${byId('cut').value}%`);
}

// ---- wiring ---------------------------------------------------------------------------------

function takeDrops() {
  const drop = byId('drop');
  byId('file').addEventListener('change', ({ target }) => {
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
  byId('cut').addEventListener('input', moveCut);
  byId('which').addEventListener('change', ({ target }) => {
    if (uploaded) examine(uploaded, Number(target.value));
  });
  byId('layers').addEventListener('change', showLayer);
  byId('show-boxes').addEventListener('change', showBoxes);
  keepNumbersReadable(byId('boxes'));
  try {
    limits = await ask('about');
    byId('about').textContent = `mmomni ${limits.version}, checkpoint ${limits.checkpoint}`;
    byId('limits').textContent = `At most ${megabytes(limits.max_upload)} and `
      + `${limits.max_megapixels} megapixels`
      + (limits.timeout ? `, and ${limits.timeout} seconds of work. ` : '. ')
      + 'Nothing leaves this server and nothing is kept.';
  } catch (error) {
    byId('error').textContent = error.message;
    byId('error').hidden = false;
  }
}

start();
