// The gap, moved by hand. `render` keeps to anywidget's contract: it draws the state that `model`
// holds, and writes back what the reader chooses. Every number is computed here, in float64, from
// the cosines of the pairs and their places along the gap. A "move" is alpha, or on the sphere
// theta. u is the direction from the mean image to the mean text, and d is alpha times the gap.

const KINDS = {
  pairs: {
    trait: "alpha", symbol: "α", name: "shift along the gap, α", unit: "", min: -0.5, max: 1,
    step: 0.01, digits: 2, ticks: [-0.5, 0, 0.5, 1],
    marks: [[-0.5, "wider"], [0, "as it is"], [0.5, "means meet"], [1, "swapped"]],
  },
  sphere: {
    trait: "theta", symbol: "θ", name: "latitude of the texts, θ", unit: "°", min: -90, max: 90,
    step: 1, digits: 1, ticks: [-90, -45, 0, 45, 90],
    marks: [[-90, "south"], [0, "no gap"], [90, "north"]],
  },
};
const TAU = {
  name: "temperature, τ", min: -2, max: 0, step: 0.01, // of its decimal logarithm
  marks: [[-2, "0.01"], [-1, "0.1"], [0, "1"]],
};
const TRAITS = ["data", "alpha", "theta", "temperature", "image"];
const STEPS = 60; // between the points of the loss curve
const EYE = { longitude: 30, latitude: 14 }; // above which point of the sphere

// Numbers

/** A set as Python sends it, its base64 texts turned into arrays; and room for its cosines. */
export function unpack({ arrays, ...set }) {
  for (const [name, text] of Object.entries(arrays)) {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    set[name] = new Float64Array(bytes.buffer);
  }
  set.moved = new Float64Array(set.n * set.n);
  return set;
}

/** Lengths of x + d u and of y - d u; xu and yu hold x . u and y . u. */
function lengths({ xu, yu }, d) {
  const length = (part) => Math.sqrt(1 + 2 * d * part + d * d);
  return [xu.map(length), yu.map((part) => length(-part))];
}

/** Cosines of all moved images with all moved texts, row after row, until the next call. */
function cosines(set, move) {
  const { n, cosine, xu, yu, moved } = set;
  if (set.kind === "sphere") {
    const factor = Math.cos(move * RADIANS);
    for (let k = 0; k < n * n; k++) moved[k] = factor * cosine[k];
    return moved;
  }
  const d = move * set.gap, [ofX, ofY] = lengths(set, d);
  for (let i = 0, k = 0; i < n; i++) {
    for (let j = 0; j < n; j++, k++) {
      moved[k] = (cosine[k] + d * (yu[j] - xu[i]) - d * d) / (ofX[i] * ofY[j]);
    }
  }
  return moved;
}

/** The symmetric loss; the two terms of its image-to-text half, and their sum. */
export function measure(set, move, temperature) {
  return termsOf(set.n, cosines(set, move), temperature);
}

function termsOf(n, moved, temperature) {
  const columns = new Float64Array(n);
  const sharpness = 1 / temperature;
  let numerator = 0, denominator = 0, other = 0;
  for (let i = 0, k = 0; i < n; i++) {
    let row = 0;
    for (let j = 0; j < n; j++, k++) {
      const e = Math.exp(moved[k] * sharpness); // at most e^100: no overflow
      row += e;
      columns[j] += e;
    }
    numerator -= (moved[i * n + i] * sharpness) / n;
    denominator += Math.log(row) / n;
  }
  for (const column of columns) other += Math.log(column) / n;
  const loss = numerator + (denominator + other) / 2;
  return { numerator, denominator, sum: numerator + denominator, loss };
}

/** The softmax over the texts of one image, and its entropy in nats. */
export function softmaxRow(set, move, temperature, image) {
  const row = cosines(set, move).subarray(image * set.n, (image + 1) * set.n);
  const weights = row.map((c) => Math.exp(c / temperature));
  const total = weights.reduce((a, b) => a + b), p = weights.map((weight) => weight / total);
  return { p, entropy: p.reduce((h, q) => (q > 0 ? h - q * Math.log(q) : h), 0) };
}

/** What a temperature fixes: the terms along the whole range and at 0, and the smallest loss. */
export function curve(set, temperature) {
  const { min, max } = KINDS[set.kind], loss = (m) => measure(set, m, temperature).loss;
  const moves = Array.from({ length: STEPS + 1 }, (_, k) => min + ((max - min) * k) / STEPS);
  set.along ??= moves.map((m) => cosines(set, m).slice()); // no temperature changes them
  const points = set.along.map((moved) => termsOf(set.n, moved, temperature));
  const best = points.reduce((b, point, k) => (point.loss < points[b].loss ? k : b), 0);
  let move = goldenSection(loss, moves[Math.max(best - 1, 0)], moves[Math.min(best + 1, STEPS)]);
  const end = [min, max].find((m) => Math.abs(m - move) < 1e-6 * (max - min));
  move = end ?? move;
  const minimum = { move, loss: loss(move), atEnd: end !== undefined };
  return { moves, points, minimum, start: measure(set, 0, temperature) };
}

function goldenSection(f, low, high) {
  const ratio = (Math.sqrt(5) - 1) / 2;
  let a = high - ratio * (high - low), b = low + ratio * (high - low), fa = f(a), fb = f(b);
  for (let k = 0; k < 22; k++) {
    if (fa < fb) {
      [high, b, fb] = [b, a, fa];
      fa = f((a = high - ratio * (high - low)));
    } else {
      [low, a, fa] = [a, b, fb];
      fb = f((b = low + ratio * (high - low)));
    }
  }
  return (low + high) / 2;
}

/** Where moved images and texts are drawn: across, up, and towards the eye (0 in the plane). */
function places(set, move) {
  if (set.kind === "sphere") {
    const images = Array.from(set.xl, (longitude) => seen(onSphere(0, longitude), EYE));
    return [images, Array.from(set.yl, (longitude) => seen(onSphere(move, longitude), EYE))];
  }
  const d = move * set.gap, [ofX, ofY] = lengths(set, d);
  return [
    Array.from(ofX, (length, i) => [(set.xu[i] + d) / length, set.xv[i] / length, 0]),
    Array.from(ofY, (length, j) => [(set.yu[j] - d) / length, set.yv[j] / length, 0]),
  ];
}

function mean(points) {
  return [0, 1, 2].map((k) => points.reduce((sum, point) => sum + point[k], 0) / points.length);
}

/** Distance of the means on the sphere; for pairs its part along u. */
function gapSize(set, clouds) {
  const [x, y] = clouds.map(mean), apart = y.map((value, k) => value - x[k]);
  return set.kind === "sphere" ? Math.hypot(...apart) : apart[0];
}

// Words

function moveText({ kind }, move) {
  const { symbol, digits, unit } = KINDS[kind];
  return `${symbol} = ${fixed(move, digits)}${unit}`;
}

function tauText(temperature) {
  return `τ = ${temperature.toPrecision(3)}, 1/τ = ${Number((1 / temperature).toPrecision(3))}`;
}

/** On the sphere the loss is the same north and south. At an end there may be less beyond it. */
function minimumText({ set, minimum: { move, loss, atEnd } }) {
  const both = set.kind === "sphere" && Math.abs(move) > 0.05;
  const relation = both ? "= ±" : atEnd ? (move < 0 ? "≤ " : "≥ ") : "= ";
  const where = moveText(set, both ? Math.abs(move) : move).replace("= ", relation);
  return `smallest ${fixed(loss)} at ${where}`;
}

/** All that the figure shows, in sentences, for those who listen to it. */
function summary(state) {
  const { set, move, temperature, now, start, image, row, gap } = state;
  const change = (name) => signed(now[name] - start[name]);
  return [
    `${set.name}, ${moveText(set, move)}, ${tauText(temperature)}.`,
    `Gap ${fixed(gap)}. InfoNCE ${fixed(now.loss)}, ${minimumText(state)}.`,
    `Since ${KINDS[set.kind].symbol} = 0 the numerator changed by ${change("numerator")},`,
    `the denominator by ${change("denominator")}, their sum by ${change("sum")}.`,
    `Softmax of image ${image}: its own text has ${percent(row.p[image])},`,
    `entropy ${fixed(row.entropy, 2)} of at most ${fixed(Math.log(set.n), 2)} nats.`,
  ].join(" ");
}

// Drawings: each function makes one and returns what redraws it

function drawClouds(parent, choose) {
  const height = 250, { drawing, say } = panel(parent, "The two clouds", height);
  const names = ["scenery", "links", "image-far", "text-far", "image", "text", "means", "own"];
  const layers = names.map((name) => svg(drawing, "path", { class: `mg-${name}` }));
  const caption = svg(drawing, "text", { x: 2, y: height - 5 });
  svg(drawing, "path", { class: "mg-image", d: circle([228, height - 9], 3.5) });
  svg(drawing, "text", { x: 236, y: height - 5 }, "image");
  svg(drawing, "path", { class: "mg-text", d: triangle([286, height - 9], 3.5) });
  svg(drawing, "text", { x: 294, y: height - 5 }, "its text");
  let images = [];
  drawing.addEventListener("click", (event) => {
    const { left, top, width } = drawing.getBoundingClientRect(), zoom = WIDTH / width;
    const [x, y] = [(event.clientX - left) * zoom, (event.clientY - top) * zoom];
    const distances = images.map((point) => Math.hypot(point[0] - x, point[1] - y));
    choose(distances.indexOf(Math.min(...distances)));
  });
  return ({ set, clouds, image, gap }) => {
    set.view ??= fit(set, height - 32);
    const [x, y] = clouds.map((side) => side.map((point) => [...set.view.place(point), point[2]]));
    const r = set.n > 12 ? 3 : 4.5;
    const marks = (side, mark, far) =>
      side.filter((point) => point[2] < 0 === far).map((point) => mark(point, r)).join("");
    images = x;
    [
      set.view.scenery,
      x.map((point, i) => line([point, y[i]])).join(""),
      marks(x, circle, true), marks(y, triangle, true),
      marks(x, circle, false), marks(y, triangle, false),
      line([mean(x), mean(y)]),
      line([x[image], y[image]]) + circle(x[image], r + 3) + circle(y[image], r + 3),
    ].forEach((d, k) => layers[k].setAttribute("d", d));
    caption.textContent = set.view.caption;
    say(`gap ${fixed(gap)}`);
  };
}

/** A scale that holds the clouds of all moves, and what stands behind them. */
function fit(set, height) {
  const sphere = set.kind === "sphere", { min, max } = KINDS[set.kind];
  const moves = Array.from({ length: 16 }, (_, k) => min + ((max - min) * k) / 15);
  const points = sphere ? [[-1, -1], [1, 1]] : moves.flatMap((move) => places(set, move).flat());
  const [[left, right], [low, high]] = [0, 1].map((k) => {
    const values = points.map((point) => point[k]);
    return [Math.min(...values), Math.max(...values)];
  });
  const zoom = Math.min((WIDTH - 16) / (right - left), (height - 16) / (high - low));
  const place = ([x, y]) =>
    [WIDTH / 2 + zoom * (x - (left + right) / 2), height / 2 - zoom * (y - (low + high) / 2)];
  if (sphere) return { place, scenery: graticule(EYE, place) + circle(place([0, 0]), zoom), caption: "" };
  const bar = niceStep(right - left, 5);
  const scenery = line([[2, height + 6], [2 + bar * zoom, height + 6]]);
  return { place, scenery, caption: `${bar}, along the gap →` };
}

function drawLoss(parent) {
  const box = { left: 46, right: WIDTH - 8, top: 10, bottom: 208, foot: 243 };
  const { drawing, say } = panel(parent, "InfoNCE", 250), setAxes = axes(drawing, box);
  const path = svg(drawing, "path", { class: "mg-curve" });
  const lowest = svg(drawing, "path", { class: "mg-lowest" });
  const here = svg(drawing, "circle", { r: 5.5, class: "mg-here" });
  return (state) => {
    const { set, move, now, moves, points, minimum } = state, kind = KINDS[set.kind];
    const losses = points.map((point) => point.loss);
    const [low, high] = [Math.min(minimum.loss, ...losses), Math.max(...losses)];
    const x = scale([kind.min, kind.max], [box.left + 8, box.right - 8]);
    const y = scale([low - 0.05 * (high - low), high], [box.bottom, box.top]);
    setAxes(y, niceTicks(low, high, 5), x, kind.ticks, kind.name + (kind.unit && " (degrees)"));
    path.setAttribute("d", line(moves.map((m, k) => [x(m), y(losses[k])])));
    const both = set.kind === "sphere" ? [minimum.move, -minimum.move] : [minimum.move];
    lowest.setAttribute("d", both.map((m) =>
      line([[x(m), y(minimum.loss)], [x(m), box.bottom]]) + triangle([x(m), box.bottom + 2], 4),
    ).join(""));
    here.setAttribute("cx", x(move));
    here.setAttribute("cy", y(now.loss));
    say(`${fixed(now.loss)}, ${minimumText(state)}`);
  };
}

/** Two bars end to end: the second stops left of 0 if the loss falls, right of it if it rises. */
function drawTerms(parent) {
  const { drawing, say } = panel(parent, "Its two terms, image to text", 164);
  const names = ["numerator", "denominator", "sum"], tops = [22, 64, 124];
  const ends = [2, WIDTH - 2], numbers = svg(drawing, "g");
  const note = svg(drawing, "text", { x: 2, y: 161 });
  const rows = names.map((name, k) => {
    const [bar, text] = [{ y: tops[k], height: 16 }, { y: tops[k] - 6 }];
    svg(drawing, "rect", { ...bar, x: ends[0], width: ends[1] - ends[0], class: "mg-track" });
    return {
      bar: svg(drawing, "rect", { ...bar, class: `mg-${name}` }),
      zero: svg(drawing, "path", { class: "mg-zero" }),
      values: svg(drawing, "text", { ...text, x: ends[0] }),
      change: svg(drawing, "text", { ...text, x: ends[1], class: "mg-end mg-strong" }),
    };
  });
  return ({ set, now, start, points }) => {
    const changes = (point) => names.map((name) => point[name] - start[name]);
    const along = points.map(changes), sums = along.map((change) => change[2]);
    const reached = along.flatMap(([first, , sum]) => [first, sum]);
    const [low, high] = [Math.min(...reached), Math.max(...reached)];
    const range = [Math.min(low, -0.2 * high), Math.max(high, -0.2 * low)], x = scale(range, ends);
    // So much longer can the sum's bar be drawn without leaving the range on either side.
    const room = [range[0] / Math.min(...sums, -1e-9), range[1] / Math.max(...sums, 1e-9)];
    const zoom = niceFloor(Math.min(...room)), change = changes(now);
    const bars = [[0, change[0]], [change[0], change[2]], [0, zoom * change[2]]];
    rows.forEach((row, k) => {
      const [from, to] = bars[k].map(x).sort((a, b) => a - b);
      row.bar.setAttribute("x", from);
      row.bar.setAttribute("width", to - from);
      row.zero.setAttribute("d", line([[x(0), tops[k] - 2], [x(0), tops[k] + 18]]));
      row.values.textContent = `${names[k]} ${fixed(start[names[k]])} → ${fixed(now[names[k]])}`;
      row.change.textContent = signed(change[k]);
    });
    const { ticks, digits } = niceTicks(...range, 5);
    numbers.replaceChildren();
    for (const t of ticks.filter((tick) => x(tick) > 16 && x(tick) < WIDTH - 16)) {
      svg(numbers, "text", { x: x(t), y: 94, class: "mg-middle" }, signed(t, digits));
    }
    note.textContent = `change since ${KINDS[set.kind].symbol} = 0; bar of the sum: × ${zoom}`;
    say(Math.abs(change[2]) < 5e-4 ? "no change" : `loss ${change[2] < 0 ? "falls" : "rises"}`);
  };
}

function drawRow(parent, choose) {
  const area = { left: 46, right: WIDTH - 2, top: 8, bottom: 98, foot: 129 };
  const { box, drawing, say } = panel(parent, "Softmax row", 132), setAxes = axes(drawing, area);
  const { label, show } = slider(box, choose);
  label.classList.add("mg-inline");
  drawing.before(label);
  const others = svg(drawing, "path", { class: "mg-bars" });
  const own = svg(drawing, "path", { class: "mg-own-bar" });
  const uniform = svg(drawing, "path", { class: "mg-uniform" });
  return ({ set: { n }, image, row: { p, entropy } }) => {
    const top = 1.04 * Math.max(...p), width = (area.right - area.left) / n;
    const x = scale([0, n], [area.left, area.right]), y = scale([0, top], [area.bottom, area.top]);
    const bar = (j) =>
      `M${at(x(j + 0.1), area.bottom)}h${0.8 * width}V${y(p[j])}h${-0.8 * width}z`;
    setAxes(y, niceTicks(0, top, 3), x, [], `the ${n} texts; dashed: 1/${n}`);
    others.setAttribute("d", Array.from(p, (_, j) => (j === image ? "" : bar(j))).join(""));
    own.setAttribute("d", bar(image) + triangle([x(image + 0.5), area.bottom + 9], 4));
    uniform.setAttribute("d", line([[area.left, y(1 / n)], [area.right, y(1 / n)]]));
    show({ name: "image", min: 0, max: n - 1, step: 1 }, image, String(image));
    say(`own text ${percent(p[image])}, entropy ${fixed(entropy, 2)}`);
  };
}

// The figure

function render({ model, el }) {
  const sets = new Map(model.get("sets").map((set) => [set.name, unpack(set)]));
  const root = html(el, "div", { className: "mg-explore" });
  const { put, ...figure } = live(model, root, TRAITS, () => draw());
  const chooseData = (data) =>
    put({ data, image: Math.min(model.get("image"), sets.get(data).n - 1) });
  const chooseImage = (image) => put({ image });
  const kind = () => KINDS[sets.get(model.get("data")).kind];

  const data = choice(root, "embeddings", [...sets.keys()], chooseData);
  button(data.set, "reset", figure.reset);
  const controls = html(root, "div", { className: "mg-grid" });
  const moveSlider = slider(controls, (value) => put({ [kind().trait]: value }));
  const tauSlider = slider(controls, (value) => put({ temperature: 10 ** value }));
  const grid = html(root, "div", { className: "mg-grid" });
  const drawings = [
    drawClouds(grid, chooseImage), drawLoss(grid), drawTerms(grid), drawRow(grid, chooseImage),
  ];

  let known = {};
  const draw = () => {
    const set = sets.get(model.get("data")), temperature = model.get("temperature");
    const move = model.get(kind().trait), image = Math.min(model.get("image"), set.n - 1);
    if (known.set !== set || known.temperature !== temperature) {
      known = { set, temperature, ...curve(set, temperature) };
    }
    const clouds = places(set, move), gap = gapSize(set, clouds);
    const now = measure(set, move, temperature), row = softmaxRow(set, move, temperature, image);
    const state = { ...known, move, image, clouds, gap, now, row };
    data.show(set.name);
    moveSlider.show(kind(), move, moveText(set, move));
    tauSlider.show(TAU, Math.log10(temperature), tauText(temperature));
    for (const drawing of drawings) drawing(state);
    return summary(state);
  };
  figure.start();
  return figure.end;
}

export default { render };
