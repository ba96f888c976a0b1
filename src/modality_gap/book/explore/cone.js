// A network of width two with random weights: where its layers send the same points, and how
// similar they become, over many draws of the weights.

const TRAITS = ["activation", "bias", "skip", "seed"];
const DEPTH = 4, LAST = 1999; // the last seed
const DECADES = 12, BINS = 2 * DECADES + 1; // of 1 - c: two a decade, and one above 1
const ACTIVATIONS = {
  sigmoid: (z) => 1 / (1 + Math.exp(-z)),
  tanh: Math.tanh,
  LeakyReLU: (z) => (z < 0 ? 0.01 * z : z),
  linear: (z) => z,
};
const PLOT = 120, TALL = 228; // the scatter's side, and the whole drawing's height

// Numbers

/** h(0) to h(4) of the points, flat [x, y, x, y, ...]; as `Cone.layers`. */
export function layersOf(points, { activation, bias, skip, seed }) {
  const draw = normals(seed), phi = ACTIVATIONS[activation], layers = [points];
  for (let depth = 0; depth < DEPTH; depth++) {
    const [a, b, c, d] = [draw(), draw(), draw(), draw()];
    const [e, f] = [draw(), draw()].map((value) => (bias ? value : 0));
    const h = layers[depth], next = new Float64Array(h.length);
    for (let i = 0; i < h.length; i += 2) {
      const x = h[i], y = h[i + 1];
      next[i] = phi(a * x + b * y + e) + (skip ? x : 0);
      next[i + 1] = phi(c * x + d * y + f) + (skip ? y : 0);
    }
    layers.push(next);
  }
  return layers;
}

/** Mean cosine over all pairs i, j of different points, in one pass. */
export function meanCosine(h) {
  const n = h.length / 2;
  let u = 0, v = 0;
  for (let i = 0; i < h.length; i += 2) {
    const length = Math.hypot(h[i], h[i + 1]);
    u += h[i] / length;
    v += h[i + 1] / length;
  }
  return (u * u + v * v - n) / (n * (n - 1));
}

/** The narrowest wedge that holds all points: where it begins and how wide it is, in radians. */
export function wedge(h) {
  const angles = Array.from({ length: h.length / 2 }, (_, i) => Math.atan2(h[2 * i + 1], h[2 * i]));
  angles.sort((a, b) => a - b);
  let start = angles[0], widest = angles[0] + 2 * Math.PI - angles.at(-1);
  for (let i = 1; i < angles.length; i++) {
    const step = angles[i] - angles[i - 1];
    if (step > widest) [start, widest] = [angles[i], step];
  }
  return { start, width: 2 * Math.PI - widest };
}

const kindOf = ({ activation, bias, skip }) => [activation, bias, skip].join();
const place = (cosine) => Math.log10(Math.max(1 - cosine, 0)) + DECADES; // decades from the left
const binOf = (cosine) => Math.min(Math.max(Math.floor(2 * place(cosine)), 0), BINS - 1);

/** A small number in words of powers of ten. */
function tiny(value) {
  if (value >= 0.001) return fixed(value, 3);
  const power = Math.max(Math.floor(Math.log10(Math.max(value, 1e-15))), -15);
  const digits = [...String(-power)].map((digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[digit]).join("");
  return `${fixed(value / 10 ** power, 1)} · 10⁻${digits}`;
}

// Drawings

function drawLayer(parent, number) {
  const box = html(parent, "div", { className: "mg-panel" }, { role: "group" });
  const name = `h⁽${"⁰¹²³⁴"[number]}⁾`;
  html(box, "div", { className: "mg-title", textContent: name });
  box.setAttribute("aria-label", name);
  const reading = html(box, "div");
  const drawing = svg(box, "svg", { viewBox: `0 0 ${PLOT} ${TALL}`, role: "img" });
  const names = ["cone", "frame", "points", "bars", "here", "zero"];
  const layers = names.map((name) => svg(drawing, "path", { class: `mg-${name}` }));
  const x = scale([0, BINS / 2], [4, PLOT - 4]);
  const words = [["10⁻¹²", 2, ""], ["1 − c", PLOT / 2 + 8, "mg-middle"], ["1", PLOT - 6, "mg-end"]];
  for (const [text, left, anchor] of number ? words : []) {
    svg(drawing, "text", { x: left, y: TALL - 3, class: anchor }, text);
  }
  return (h, cosine, counts, share, bounded) => {
    const reach = bounded ? 1 : Math.max(...h.map(Math.abs)), from = share ? 0 : -reach;
    const to = (x, y) => [4 + ((x - from) / (reach - from)) * (PLOT - 8),
      PLOT - 4 - ((y - from) / (reach - from)) * (PLOT - 8)];
    const { start, width } = wedge(h), [ox, oy] = to(0, 0), far = 2 * PLOT;
    const ray = (angle) => [ox + far * Math.cos(angle), oy - far * Math.sin(angle)];
    const arc = Array.from({ length: 9 }, (_, k) => ray(start + (width * k) / 8));
    const top = Math.max(...counts, 1), wide = (PLOT - 8) / BINS, floor = TALL - 27;
    [
      number && width < Math.PI ? line([[ox, oy], ...arc]) + "z" : "",
      `M4 4H${PLOT - 4}V${PLOT - 4}H4z` + line([to(from, 0), to(reach, 0)]) +
        line([to(0, from), to(0, reach)]),
      Array.from({ length: h.length / 2 }, (_, i) =>
        circle(to(h[2 * i], h[2 * i + 1]), 1.3)).join(""),
      counts.map((count, k) => (count ?
        `M${at(4 + k * wide, floor)}v${(-60 * count) / top}h${wide - 0.6}V${floor}z` : "")).join(""),
      number ? triangle([x(Math.max(place(cosine), 0)), floor + 4], 3.5) : "",
      number ? `M4 ${floor}H${PLOT - 4}` : "",
    ].forEach((d, k) => layers[k].setAttribute("d", d));
    const close = cosine > 0.9985;
    reading.textContent = close ? `c = 1 − ${tiny(1 - cosine)}` : `c = ${fixed(cosine)}`;
    const degrees = Math.round((width * 180) / Math.PI);
    drawing.setAttribute("aria-label", `Layer ${number}: ${reading.textContent}, ` +
      (width < Math.PI ? `all points in a wedge of ${degrees} degrees` : "points all around"));
  };
}

// The figure

function render({ model, el }) {
  const points = new Float64Array(Uint8Array.from(atob(model.get("points")), (letter) =>
    letter.charCodeAt(0)).buffer);
  const root = html(el, "div", { className: "mg-explore mg-cone" });
  const { put, ...figure } = live(model, root, TRAITS, () => draw());
  const activation = choice(root, "activation", Object.keys(ACTIVATIONS), (name) =>
    put({ activation: name }));
  const actions = html(root, "div", { className: "mg-actions" });
  const toggles = ["bias", "skip"].map((name) => [name, button(actions, name, () =>
    put({ [name]: !model.get(name) }))]);
  const more = (count) => put({ seed: Math.min(model.get("seed") + count, LAST) });
  button(actions, "draw again", () => more(1));
  button(actions, "100 more draws", () => more(100));
  button(actions, "reset", figure.reset);
  const note = html(root, "p", { className: "mg-note" }, { role: "status" });
  const row = html(root, "div", { className: "mg-row" });
  const drawings = Array.from({ length: DEPTH + 1 }, (_, number) => drawLayer(row, number));

  let known = {};
  /** How often each layer's mean cosine fell into each bin, over the seeds 0 to `seed`. */
  const count = (values) => {
    if (known.kind !== kindOf(values) || known.next > values.seed + 1) {
      const counts = drawings.map(() => Array(BINS).fill(0));
      known = { kind: kindOf(values), next: 0, counts, last: [] };
    }
    for (; known.next <= values.seed; known.next++) {
      layersOf(points, { ...values, seed: known.next }).map(meanCosine).forEach((cosine, depth) => {
        known.counts[depth][binOf(cosine)] += 1;
        if (depth === DEPTH) known.last.push(1 - cosine);
      });
    }
    return known;
  };
  const draw = () => {
    const values = Object.fromEntries(TRAITS.map((name) => [name, model.get(name)]));
    const layers = layersOf(points, values), cosines = layers.map(meanCosine);
    const { counts, last } = count(values), draws = values.seed + 1;
    activation.show(values.activation);
    for (const [name, toggle] of toggles) toggle.setAttribute("aria-pressed", values[name]);
    const bounded = !values.skip && ["sigmoid", "tanh"].includes(values.activation);
    drawings.forEach((drawing, depth) => drawing(layers[depth], cosines[depth],
      depth ? counts[depth] : Array(BINS).fill(0),
      depth > 0 && bounded && values.activation === "sigmoid", depth > 0 && bounded));
    const middle = [...last].sort((a, b) => a - b)[Math.floor(draws / 2)];
    note.textContent = `Draw ${draws}. Over all draws so far, the median of 1 − c after layer 4 is ` +
      `${tiny(middle)}.` + (values.seed === LAST ? " That was the last draw." : "");
    return `${note.textContent} This draw: 1 − c is ${cosines.slice(1).map((c) =>
      tiny(1 - c)).join(", ")} after layers 1 to 4.`;
  };
  figure.start();
  return figure.end;
}

export default { render };
