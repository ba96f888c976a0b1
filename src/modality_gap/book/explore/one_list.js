// One list of images and captions: what a query finds, before and after a method. A method changes
// the embeddings, (row + shift) * scale, then a matrix, then unit length; or it scores their
// cosines; or both. Side 0 are images, side 1 captions; row i of both is a pair. Candidates are all
// images, then all captions.

const TRAITS = ["of", "query", "method"];
const KINDS = { image: "query: picture", text: "query: caption" };
const SIDES = Object.keys(KINDS);
const FIRST = 10, SHOWN = FIRST + 1; // and the partner
const ROUNDING = 1e-6; // scores that differ by less are equal, and keep the candidates' order
const SIDE = 28, ACROSS = 10; // a thumbnail's side, thumbnails in a row of the sheet

// Numbers

const decode = (text, Kind) =>
  new Kind(Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer);

function unit(row) {
  const length = Math.hypot(...row);
  return row.map((value) => value / length);
}

/** Both sides as lists of unit rows, and the methods with their arrays. */
export function unpack({ rows, width, methods }) {
  const flat = Float64Array.from(decode(rows, Int16Array)), n = flat.length / width / 2;
  const all = Array.from({ length: 2 * n }, (_, i) =>
    unit(flat.subarray(i * width, (i + 1) * width)));
  const arrays = ({ shift, scale, turn }) => ({
    shift: shift && decode(shift, Float64Array), scale: scale && decode(scale, Float64Array),
    turn: turn && decode(turn, Float32Array),
  });
  const ready = methods.map(({ hubs, ...method }) => ({
    ...method, change: method.change.map(arrays),
    hubs: hubs && hubs.map((text) => decode(text, Float64Array)),
  }));
  return { n, sides: [all.slice(0, n), all.slice(n)], methods: ready };
}

function moved(row, { shift, scale, turn }) {
  if (!shift && !scale && !turn) return row;
  let out = shift ? row.map((value, k) => value + shift[k]) : row;
  if (scale) out = out.map((value, k) => value * scale[k]);
  if (turn) {
    const turned = new Float64Array(row.length);
    out.forEach((value, k) => turned.forEach((_, j) => {
      turned[j] += value * turn[k * row.length + j];
    }));
    out = turned;
  }
  return unit(out);
}

/** Both sides as a method leaves them; what was computed before is not computed again. */
export function changed(data, method) {
  method.sides ??= data.sides.map((rows, side) =>
    rows.map((row) => moved(row, method.change[side])));
  return method.sides;
}

/** How well each candidate fits: images, then captions; -Infinity for the query itself. */
export function scoresOf(data, method, of, query) {
  const sides = changed(data, method), from = SIDES.indexOf(of), row = sides[from][query];
  return Float64Array.from(sides.flatMap((rows, among) => {
    const cosines = rows.map((other) => other.reduce((sum, value, k) => sum + value * row[k], 0));
    if (from === among) cosines[query] = NaN;
    return calibrated(method, cosines, from, among).map((score) =>
      (Number.isNaN(score) ? -Infinity : score));
  }));
}

function calibrated({ score, mean, deviation, beta, hubs }, cosines, from, among) {
  if (score === "kind") {
    return cosines.map((c) => (c - mean[from][among]) / deviation[from][among]);
  }
  if (score === "query") {
    const known = cosines.filter((c) => !Number.isNaN(c)), count = known.length;
    const middle = known.reduce((sum, c) => sum + c, 0) / count;
    const variance = known.reduce((sum, c) => sum + (c - middle) ** 2, 0) / count;
    return cosines.map((c) => (c - middle) / Math.max(Math.sqrt(variance), Number.EPSILON));
  }
  if (score === "softmax") {
    return cosines.map((c, k) => beta * c - hubs[from][among * cosines.length + k]);
  }
  return cosines;
}

/** The candidates, the best first, without the query. */
export function ordered(scores) {
  const rounded = scores.map((score) => Math.round(score / ROUNDING));
  return Array.from(scores, (_, k) => k).filter((k) => scores[k] > -Infinity)
    .sort((a, b) => rounded[b] - rounded[a] || a - b);
}

/** How many of the first ten are of the other kind, and where the partner stands. */
export function tally(order, { n }, of, query) {
  const other = SIDES.indexOf(of) === 0 ? (k) => k >= n : (k) => k < n;
  const partner = of === "image" ? n + query : query;
  return { other: order.slice(0, FIRST).filter(other).length, place: order.indexOf(partner) + 1 };
}

// Drawings

/** A picture's thumbnail out of the sheet, or a caption; `show` says of which candidate. */
function drawItem(parent, n, captions) {
  const thumb = html(parent, "span", { className: "mg-thumb" });
  const words = html(parent, "span", { className: "mg-words" });
  return (candidate, before = "") => {
    const picture = candidate < n, k = candidate % n;
    parent.classList.toggle("mg-picture", picture);
    const [x, y] = [k % ACROSS, Math.floor(k / ACROSS)].map((place) => -place);
    thumb.style.backgroundPosition = `calc(${x} * var(--mg-side)) calc(${y} * var(--mg-side))`;
    words.textContent = before + (picture ? "" : captions[k]);
  };
}

/** A list of the first ten and the partner; a row that is pressed becomes the query. */
function drawList(parent, n, texts, search) {
  const box = html(parent, "div", { className: "mg-panel" }, { role: "group" });
  const title = html(box, "div", { className: "mg-title" }), reading = html(box, "div");
  const list = html(box, "ol");
  const rows = Array.from({ length: SHOWN }, () => {
    const item = html(list, "li"), row = button(item, "", () => search(own.candidate));
    row.className = "mg-row";
    const place = html(row, "span", { className: "mg-place" });
    const content = html(row, "span", { className: "mg-item" });
    const score = html(row, "span", { className: "mg-score" });
    const own = { item, row, place, score, show: drawItem(content, n, texts.captions) };
    return own;
  });
  return (name, order, scores, partner, { other, place }) => {
    title.textContent = name;
    reading.textContent = `${other} of ${FIRST} are of the other kind; the partner is at ${place}`;
    box.setAttribute("aria-label", name);
    rows.forEach((own, k) => {
      const at = k < FIRST ? k : Math.max(place - 1, FIRST), candidate = order[at];
      const kind = candidate < n ? "picture" : "caption", is = candidate === partner;
      const spelled = (candidate < n ? texts.pictures : texts.captions)[candidate % n];
      own.candidate = candidate;
      own.place.textContent = at + 1;
      own.item.classList.toggle("mg-apart", at > FIRST);
      own.row.classList.toggle("mg-partner", is);
      own.score.textContent = fixed(scores[candidate], 2);
      own.show(candidate, is ? "★ " : "");
      own.row.setAttribute("aria-label", `${at + 1}: ${kind} ${spelled}, score ` +
        `${own.score.textContent}${is ? ", the partner" : ""}. Search with it.`);
    });
  };
}

/** Of all queries together: a row for each method. */
function drawOverview(parent, overview, n) {
  const tall = 19, height = overview.length * tall + 42;
  const { drawing, say } = panel(parent, `All ${2 * n} queries`, height);
  const x = scale([0, FIRST], [150, 250]), base = 22 + overview.length * tall;
  svg(drawing, "text", { x: x(0), y: 12 }, "other kind in ten");
  svg(drawing, "text", { x: WIDTH, y: 12, class: "mg-end" }, "partner");
  const rows = overview.map(({ name, other, place }, k) => {
    const y = 22 + k * tall, words = svg(drawing, "text", { x: 0, y: y + 11 }, name);
    const bar = svg(drawing, "rect", { x: x(0), y: y + 1, height: 12, width: x(other) - x(0) });
    svg(drawing, "text", { x: 280, y: y + 11, class: "mg-end" }, fixed(other, 1));
    svg(drawing, "text", { x: WIDTH, y: y + 11, class: "mg-end" }, fixed(place, place % 1 ? 1 : 0));
    return { name, words, bar };
  });
  const blind = x((FIRST * n) / (2 * n - 1));
  svg(drawing, "path", { class: "mg-blind", d: line([[blind, 18], [blind, base]]) });
  svg(drawing, "text", { x: blind, y: base + 14, class: "mg-middle" }, "in random order");
  return (chosen) => {
    for (const { name, words, bar } of rows) {
      words.setAttribute("class", name === chosen ? "mg-strong" : "");
      bar.setAttribute("class", name === chosen ? "mg-chosen" : "mg-other");
    }
    const { other, place } = overview.find(({ name }) => name === chosen);
    say(`mean ${fixed(other, 1)} of ten, median place ${place}`);
  };
}

// The figure

function render({ model, el }) {
  const texts = { pictures: model.get("pictures"), captions: model.get("captions") };
  const data = unpack(model.get("packed")), { n, methods } = data;
  const root = html(el, "div", { className: "mg-explore mg-lists-of-both" });
  root.style.setProperty("--mg-sheet", `url("${model.get("sheet")}")`);
  const { put, ...figure } = live(model, root, TRAITS, () => draw());
  const kinds = choice(root, "query", Object.values(KINDS), (words) =>
    put({ of: SIDES.find((name) => KINDS[name] === words) }));
  button(kinds.set, "reset", figure.reset);
  const asked = html(root, "div", { className: "mg-grid" });
  const query = html(asked, "div", { className: "mg-query" }, { role: "group" });
  const [own, partner] = ["query", "partner ★"].map((name) => {
    const line = html(query, "div", {});
    html(line, "span", { className: "mg-title", textContent: name });
    return drawItem(html(line, "span", { className: "mg-item" }), n, texts.captions);
  });
  const controls = html(asked, "div");
  const pair = slider(controls, (value) => put({ query: value - 1 }));
  const means = dropdown(controls, "list on the right", methods.slice(1).map(({ name }) => name),
    (method) => put({ method }));
  const pairOfLists = html(root, "div", { className: "mg-two" });
  const search = (candidate) =>
    put({ of: SIDES[Math.floor(candidate / n)], query: candidate % n });
  const lists = [0, 1].map(() => drawList(pairOfLists, n, texts, search));
  const all = drawOverview(root, model.get("overview"), n);
  const draw = () => {
    const [of, k, chosen] = TRAITS.map((name) => model.get(name));
    const shift = of === "image" ? 0 : n, wanted = n - shift + k;
    kinds.show(KINDS[of]);
    pair.show({ name: "pair", min: 1, max: n, step: 1 }, k + 1, `${k + 1} of ${n}`);
    means.show(chosen);
    own(shift + k);
    partner(wanted);
    const words = of === "image" ? `picture ${texts.pictures[k]}` : `caption ${texts.captions[k]}`;
    query.setAttribute("aria-label", `Query: ${words}`);
    const said = ["nothing", chosen].map((name, side) => {
      const scores = scoresOf(data, methods.find((each) => each.name === name), of, k);
      const order = ordered(scores), found = tally(order, data, of, k);
      lists[side](side ? name : "plain cosines", order, scores, wanted, found);
      return `${side ? name : "Plain cosines"}: ${found.other} of the first ten are of the other ` +
        `kind, the partner is at ${found.place}.`;
    });
    all(chosen);
    return `Query: ${words}. ${said.join(" ")}`;
  };
  figure.start();
  return figure.end;
}

export default { render };
