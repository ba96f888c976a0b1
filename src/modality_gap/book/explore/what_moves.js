// Which words reach the picture: how far a picture's embedding moves, 1 minus the cosine of before
// and after, if one factor is changed. Python has computed every move; here they are looked up.

const TRAITS = ["digit", "thickness", "colour", "changed", "k"];
const SIDE = 28, TILES = 9;
export const TOP = { mean: 1.1, move: 1.7 }; // where the axis and the bars end
const KS = [0, 1, 2, 3, 4, 5].map((k) => `k = ${k}`);
// Where among a thickness's shapes in the sheet a picture with one of these words stands.
const SHAPES = ["", "swelling", "fracture", "small", "second hand", "third hand"];

// Numbers

/** The moves as Python packs them: for each model and picture those of all other words. */
export function unpackMoves(text, changes, step) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const table = new Uint16Array(bytes.buffer), { digit, thickness, colour } = changes;
  const pictures = digit.length * thickness.length * colour.length;
  const ranges = {}; // of a factor among the other words, the same for every picture
  let width = 0;
  for (const [factor, words] of Object.entries(changes)) {
    const count = factor === "hand" ? words.length : words.length - 1;
    ranges[factor] = [width, (width += count)];
  }
  const row = (k, place, factor) => {
    const start = (k * pictures + place) * width, [from, to] = ranges[factor];
    return Array.from(table.subarray(start + from, start + to), (value) => value * step);
  };
  const placeOf = (look) => (look.digit * thickness.length + thickness.indexOf(look.thickness)) *
    colour.length + colour.indexOf(look.colour);
  const mean = (values) => values.reduce((a, b) => a + b) / values.length;
  const everywhere = (k, factor) =>
    mean(Array.from({ length: pictures }, (_, place) => mean(row(k, place, factor))));
  const every = Object.fromEntries(Object.keys(changes).map((factor) =>
    [factor, KS.map((_, k) => everywhere(k, factor))])); // mean over all pictures
  return {
    every, pictures,
    moves: (look, factor, k) => row(k, placeOf(look), factor),
    mean: (look, factor, k) => mean(row(k, placeOf(look), factor)),
  };
}

/** The words that the picture could have in the place of its own. */
function otherWords(changes, look, factor) {
  const own = factor in look ? String(look[factor]) : factor === "hand" ? "" : changes[factor][0];
  return changes[factor].filter((word) => word !== own);
}

/** Heights of labels, as near to `wanted` as a distance of `gap` between them allows. */
export function spread(wanted, gap, low, high) {
  const order = wanted.map((_, k) => k).sort((a, b) => wanted[a] - wanted[b]), placed = [];
  let last = low - gap;
  for (const k of order) placed[k] = last = Math.max(wanted[k], last + gap);
  last = high + gap;
  for (const k of order.reverse()) placed[k] = last = Math.min(placed[k], last - gap);
  return placed;
}

// Drawings

function drawCurves(parent, factors, pictures) {
  const box = { left: 34, right: 250, top: 8, bottom: 226, foot: 258 };
  const { drawing, say } = panel(parent, "Mean move, 1 − cosine", 280);
  const setAxes = axes(drawing, box), now = svg(drawing, "path", { class: "mg-now" });
  const leaders = svg(drawing, "path", { class: "mg-leader" });
  const every = svg(drawing, "path", { class: "mg-every" });
  const lines = svg(drawing, "g", { class: "mg-lines" });
  const made = factors.map((name) => ({
    name, path: svg(lines, "path"), text: svg(drawing, "text", { x: 268 }, name),
  }));
  const x = scale([0, KS.length - 1], [box.left + 8, box.right - 8]);
  const y = scale([0, TOP.mean], [box.bottom, box.top]);
  const key = svg(drawing, "text", { x: (box.left + box.right) / 2, y: 276, class: "mg-middle" });
  setAxes(y, niceTicks(0, TOP.mean, 6), x, KS.map((_, k) => k), "attributes that captions named, k");
  return ({ curves, changed, k, mean }) => {
    const ends = curves.map((curve) => y(curve.at(-1)));
    const heights = spread(ends, 15, box.top, box.bottom);
    made.forEach(({ name, path, text }, place) => {
      const chosen = name === changed, points = curves[place].map((move, at) => [x(at), y(move)]);
      path.setAttribute("d", line(points) + circle(points[k], chosen ? 4 : 2));
      path.setAttribute("class", `mg-${name}${chosen ? " mg-chosen" : ""}`);
      text.setAttribute("y", heights[place] + 4);
      text.setAttribute("class", chosen ? "mg-strong" : "");
    });
    leaders.setAttribute("d", ends.map((end, place) =>
      line([[box.right - 5, end], [264, heights[place]]])).join(""));
    every.setAttribute("d", line(mean.map((move, at) => [x(at), y(move)])));
    now.setAttribute("d", line([[x(k), box.top], [x(k), box.bottom]]));
    key.textContent = `dotted: ${changed}, mean of all ${pictures} pictures`;
    say(factors.filter((name) => name === changed || name === "digit").map((name) =>
      `${name} ${fixed(curves[factors.indexOf(name)][k], 2)}`).join(", "));
  };
}

/** The picture with each other word, and how far it has moved. */
function drawTiles(parent, show) {
  const { box, drawing, say } = panel(parent, "The same picture, one word changed", 1);
  drawing.remove();
  const list = html(box, "div", { className: "mg-tiles" });
  const tiles = Array.from({ length: TILES }, () => {
    const tile = html(list, "div");
    return {
      tile, canvas: html(tile, "canvas", { width: SIDE, height: SIDE }, { "aria-hidden": "true" }),
      text: html(tile, "span"), bar: html(tile, "span", { className: "mg-bar" }),
    };
  });
  return ({ words, moves, look, changed, k }) => {
    tiles.forEach(({ tile, canvas, text, bar }, place) => {
      tile.hidden = place >= words.length;
      if (tile.hidden) return;
      show(canvas, look, changed, words[place]);
      text.textContent = `${words[place]} ${fixed(moves[place], 2)}`;
      bar.style.width = `${(100 * moves[place]) / TOP.move}%`;
    });
    say(`another ${changed}, k = ${k}`);
  };
}

// The figure

async function render({ model, el }) {
  const changes = model.get("changes"), factors = Object.keys(changes);
  const sheets = await tintedSheets(model.get("sheet"), changes.colour);
  const known = unpackMoves(model.get("table"), changes, model.get("step"));
  const root = html(el, "div", { className: "mg-explore mg-moves" });
  const { put, ...figure } = live(model, root, TRAITS, () => draw());

  /** Draws a picture, or that with another word of a factor. */
  const show = (canvas, look, factor = "", word = "") => {
    const { digit, thickness, colour } = { ...look, [factor]: word };
    const column = changes.thickness.indexOf(thickness) * SHAPES.length +
      Math.max(SHAPES.indexOf(word), 0);
    const pen = canvas.getContext("2d");
    pen.drawImage(sheets[colour], column * SIDE, digit * SIDE, SIDE, SIDE, 0, 0, SIDE, SIDE);
  };

  html(root, "div", { textContent: "The picture" });
  const chosen = html(root, "div", { className: "mg-own" });
  const own = html(chosen, "canvas", { width: SIDE, height: SIDE }, { role: "img" });
  const lists = html(chosen, "div", { className: "mg-lists" });
  const digit = dropdown(lists, "digit", changes.digit, (word) => put({ digit: Number(word) }));
  const thickness = dropdown(lists, "thickness", changes.thickness, (word) =>
    put({ thickness: word }));
  const colour = dropdown(lists, "colour", changes.colour, (word) => put({ colour: word }));
  html(root, "div", { className: "mg-asked", textContent: "Change its" });
  const changedOf = choice(root, "changed factor", factors, (changed) => put({ changed }));
  button(changedOf.set, "reset", figure.reset);
  const question = "Model that was trained on captions with k attributes";
  html(root, "div", { className: "mg-asked", textContent: question });
  const kinds = choice(root, "model", KS, (name) => put({ k: Number(name.slice(-1)) }));
  const grid = html(root, "div", { className: "mg-grid" });
  const drawings = [drawCurves(grid, factors, known.pictures), drawTiles(grid, show)];

  const draw = () => {
    const look = Object.fromEntries(TRAITS.slice(0, 3).map((name) => [name, model.get(name)]));
    const [changed, k] = [model.get("changed"), model.get("k")];
    const curves = factors.map((factor) => KS.map((_, at) => known.mean(look, factor, at)));
    const state = {
      look, changed, k, curves, mean: known.every[changed],
      words: otherWords(changes, look, changed), moves: known.moves(look, changed, k),
    };
    show(own, look);
    own.setAttribute("aria-label", `${look.thickness} ${look.colour} ${look.digit}`);
    digit.show(String(look.digit));
    thickness.show(look.thickness);
    colour.show(look.colour);
    changedOf.show(changed);
    kinds.show(KS[k]);
    for (const drawing of drawings) drawing(state);
    const said = state.words.map((word, place) => `${word} ${fixed(state.moves[place], 2)}`);
    return `A ${look.thickness} ${look.colour} ${look.digit}, k = ${k}. Mean moves: ` +
      `${factors.map((name, place) => `${name} ${fixed(curves[place][k], 2)}`).join(", ")}. ` +
      `Another ${changed}: ${said.join(", ")}; the mean over all pictures is ` +
      `${fixed(state.mean[k], 2)}.`;
  };
  figure.start();
  return figure.end;
}

export default { render };
