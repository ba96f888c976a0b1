// The gap, moved by hand. `render` keeps to anywidget's contract: it draws the state that `model`
// holds, and writes back what the reader chooses. The numbers are in `gap.js`.

const TAU = {
  name: "temperature, τ", min: -2, max: 0, step: 0.01, // of its decimal logarithm
  marks: [[-2, "0.01"], [-1, "0.1"], [0, "1"]],
};
const TRAITS = ["data", "alpha", "theta", "temperature", "image"];
const STORED = "Of the published CLIP the losses along the shift are stored, at six temperatures, in " +
  "batches of 50; its pairs are not here, so there are no clouds and no softmax row.";

/** What the slider of the temperature offers for a table: the stored ones. */
function tauOf({ temperatures }) {
  return { ...TAU, min: 0, max: temperatures.length - 1, step: 1, marks:
    temperatures.map((one, k) => [k, Number(one.toPrecision(2))])
      .filter((_, k) => [0, temperatures.length - 2, temperatures.length - 1].includes(k)) };
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
function minimumText({ set, second, minimum: { move, loss, atEnd } }) {
  const both = set.kind === "sphere" && Math.abs(move) > 0.05;
  const relation = both ? "= ±" : atEnd ? (move < 0 ? "≤ " : "≥ ") : "= ";
  const where = moveText(set, both ? Math.abs(move) : move).replace("= ", relation);
  const beyond = second && `; second valley ${fixed(second.loss)} at ${moveText(set, second.move)}`;
  return `smallest ${fixed(loss)} at ${where}${beyond ?? ""}`;
}

/** All that the figure shows, in sentences, for those who listen to it. */
function summary(state) {
  const { set, move, temperature, now, start, image, row, gap } = state;
  const change = (name) => signed(now[name] - start[name]);
  return [
    `${set.name}, ${moveText(set, move)}, ${tauText(temperature)}.`,
    gap === undefined ? STORED : `Gap ${fixed(gap)}.`,
    `InfoNCE ${fixed(now.loss)}, ${minimumText(state)}.`,
    `Since ${KINDS[set.kind].symbol} = 0 the numerator changed by ${change("numerator")},`,
    `the denominator by ${change("denominator")}, their sum by ${change("sum")}.`,
    row && `Softmax of image ${image}: its own text has ${percent(row.p[image])}, entropy ` +
      `${fixed(row.entropy, 2)} of at most ${fixed(Math.log(set.n), 2)} nats.`,
  ].filter(Boolean).join(" ");
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
  const other = svg(drawing, "path", { class: "mg-second" });
  const here = svg(drawing, "circle", { r: 5.5, class: "mg-here" });
  return (state) => {
    const { set, move, now, moves, points, minimum, second } = state, kind = KINDS[set.kind];
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
    other.setAttribute("d", second
      ? line([[x(second.move), y(second.loss)], [x(second.move), box.bottom]]) +
        triangle([x(second.move), box.bottom + 2], 4) : "");
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
  return ({ set, move, now, start, moves, points }) => {
    const changes = (point) => names.map((name) => point[name] - start[name]);
    // Beyond α = 1 the terms grow so much that what happens before would not be seen.
    const reach = set.kind === "sphere" ? Infinity : Math.max(1, move);
    const along = points.filter((_, k) => moves[k] < reach + 1e-6).map(changes), sums = along.map((change) => change[2]);
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
  const chooseData = (data) => {
    const set = sets.get(data), image = Math.min(model.get("image"), set.n - 1);
    put({ data, image });
    if (set.temperatures) put({ temperature: shownTemperature(set, model.get("temperature")) });
  };
  const chooseImage = (image) => put({ image });
  const kind = () => KINDS[sets.get(model.get("data")).kind];

  const data = choice(root, "embeddings", [...sets.keys()], chooseData);
  button(data.set, "reset", figure.reset);
  const controls = html(root, "div", { className: "mg-grid" });
  const moveSlider = slider(controls, (value) => put({ [kind().trait]: value }));
  const stored = () => sets.get(model.get("data")).temperatures;
  const tauSlider = slider(controls, (value) =>
    put({ temperature: stored()?.[value] ?? 10 ** value }));
  const note = html(root, "p", { className: "mg-note" });
  const grid = html(root, "div", { className: "mg-grid" });
  const drawings = [drawLoss(grid), drawTerms(grid)];
  const ofPairs = [drawClouds(grid, chooseImage), drawRow(grid, chooseImage)];
  const [lossPanel, termsPanel, cloudsPanel, rowPanel] = grid.children;
  grid.replaceChildren(cloudsPanel, lossPanel, termsPanel, rowPanel);

  let known = {};
  const draw = () => {
    const set = sets.get(model.get("data")), table = set.kind === "table";
    const temperature = shownTemperature(set, model.get("temperature"));
    const move = model.get(kind().trait), image = Math.min(model.get("image"), set.n - 1);
    if (known.set !== set || known.temperature !== temperature) {
      known = { set, temperature, ...curve(set, temperature) };
    }
    const state = { ...known, move, image, now: measure(set, move, temperature) };
    if (!table) {
      const clouds = places(set, move);
      const row = softmaxRow(set, move, temperature, image);
      Object.assign(state, { clouds, row, gap: gapSize(set, clouds) });
    }
    data.show(set.name);
    moveSlider.show(kind(), move, moveText(set, move));
    tauSlider.show(...(table ? [tauOf(set), set.temperatures.indexOf(temperature)]
      : [TAU, Math.log10(temperature)]), tauText(temperature));
    note.textContent = table ? STORED : "";
    note.hidden = !table;
    for (const panel of [cloudsPanel, rowPanel]) panel.hidden = table;
    for (const drawing of table ? drawings : [...ofPairs, ...drawings]) drawing(state);
    return summary(state);
  };
  figure.start();
  return figure.end;
}

export default { render };
