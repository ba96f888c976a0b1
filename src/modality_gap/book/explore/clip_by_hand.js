// A small CLIP that runs in the page: a picture, a caption, and where both land. Until the reader
// changes something, everything shown is what Python has computed; then the model is loaded.

const TRAITS = ["k", "digit", "strokes", "attributes", "caption", "temperature", "centred"];
const TAU = {
  name: "temperature, τ", min: -2, max: 0, step: 0.01, // of its decimal logarithm
  marks: [[-2, "0.01"], [-1, "0.1"], [0, "1"]],
};
const DRAWN = -1, SHOWN = 6, KS = [0, 1, 2, 3, 4, 5].map((k) => `k = ${k}`);

// Numbers

/** A unit row as it is, or without the mean of its kind: 0 pictures, 1 captions. */
const place = (model, row, side, centred) =>
  centred ? unit(row.map((value, d) => value - model.means[side][d])) : row;

/** All that a picture and a caption come to; words are numbers. As `ClipByHand.measure`. */
export function measure(model, picture, words, possible, { temperature, centred }) {
  const put = (row, side) => place(model, row, side, centred);
  const x = put(embedImage(model, picture), 0), y = put(embedText(model, words), 1);
  const own = cosine(x, y), others = model.captions
    .map((caption, i) => ({ words: caption, cosine: cosine(x, put(model.rows[i], 1)) }))
    .filter(({ words: other }) => String(other) !== String(words));
  const all = [...others, { words, cosine: own }].sort((a, b) => b.cosine - a.cosine);
  const total = all.reduce((sum, c) => sum + Math.exp((c.cosine - all[0].cosine) / temperature), 0);
  const flat = (row) => model.plane.map((direction) => cosine(row, direction));
  const list = all.map((c, i) => ({
    ...c, rank: i + 1, share: Math.exp((c.cosine - all[0].cosine) / temperature) / total,
    own: c.words === words,
  }));
  const mine = list.find((c) => c.own);
  const named = possible.map((caption) => put(embedText(model, caption), 1));
  return {
    cosine: own, rank: mine.rank, share: mine.share, of: list.length,
    list: [...list.slice(0, SHOWN - 1), mine.rank < SHOWN ? list[SHOWN - 1] : mine],
    image: flat(x), text: flat(y), possible: named.map(flat),
    possibleCosines: named.map((row) => cosine(x, row)),
  };
}

/** The captions that MAD may draw for a picture, word numbers, the digit first. */
export function captionsOf(numbers, k) {
  const choose = (rest, count) => (count === 0 ? [[]] : rest.flatMap((first, i) =>
    choose(rest.slice(i + 1), count - 1).map((more) => [first, ...more])));
  return choose(numbers.slice(1), k).map((chosen) => [numbers[0], ...chosen]);
}

// Drawings

function drawMap(parent) {
  const height = 250, { drawing, say } = panel(parent, "The map of the stored pairs", height);
  const layers = ["stored-images", "stored-texts", "ways", "possible", "link", "image", "text"]
    .map((name) => svg(drawing, "path", { class: `mg-${name}` }));
  svg(drawing, "path", { class: "mg-image", d: circle([8, height - 8], 4) });
  svg(drawing, "text", { x: 16, y: height - 4 }, "your picture");
  svg(drawing, "path", { class: "mg-text", d: triangle([103, height - 8], 4) });
  svg(drawing, "text", { x: 111, y: height - 4 }, "your caption");
  svg(drawing, "path", { class: "mg-possible", d: triangle([200, height - 8], 4) });
  svg(drawing, "text", { x: 208, y: height - 4 }, "captions it may get");
  let shown = null, to = null;
  return ({ map, centred, seen }) => {
    if (shown?.map !== map || shown.centred !== centred) {
      shown = { map, centred };
      const [images, texts, ...all] = [centred, !centred].flatMap((without) =>
        ["images", "texts"].map((side) => {
          const flat = new Int16Array(bytesOf(map[side + (without ? "Centred" : "")]).buffer);
          return Array.from({ length: flat.length / 2 }, (_, k) =>
            [flat[2 * k] * map.step, flat[2 * k + 1] * map.step]);
        }));
      const ends = [0, 1].map((axis) => {
        const values = [images, texts, ...all].flat().map((point) => point[axis]);
        return [Math.min(...values), Math.max(...values)]; // of both maps: neither moves the other
      });
      const [[left, right], [low, high]] = ends;
      const zoom = Math.min((WIDTH - 24) / (right - left), (height - 44) / (high - low));
      to = ([u, v]) => [WIDTH / 2 + zoom * (u - (left + right) / 2),
        (height - 20) / 2 - zoom * (v - (low + high) / 2)];
      layers[0].setAttribute("d", images.map((point) => circle(to(point), 1.2)).join(""));
      layers[1].setAttribute("d", texts.map((point) => triangle(to(point), 1.5)).join(""));
    }
    const [image, text] = seen ? [to(seen.image), to(seen.text)] : [];
    const possible = seen ? seen.possible.map(to) : [];
    [
      possible.map((point) => line([image, point])).join(""),
      possible.map((point) => triangle(point, 4)).join(""),
      seen ? line([image, text]) : "", seen ? circle(image, 5) : "", seen ? triangle(text, 5) : "",
    ].forEach((d, k) => layers[k + 2].setAttribute("d", d));
    say(seen ? `cosine ${fixed(seen.cosine)}` : "");
  };
}

function drawAnswers(parent) {
  const { drawing, say } = panel(parent, "Which caption fits?", 33 * SHOWN);
  const rows = Array.from({ length: SHOWN }, (_, k) => ({
    name: svg(drawing, "text", { x: 0, y: 33 * k + 14 }),
    share: svg(drawing, "text", { x: WIDTH, y: 33 * k + 14, class: "mg-end" }),
    track: svg(drawing, "rect", { x: 0, y: 33 * k + 19, width: WIDTH, height: 6, class: "mg-track" }),
    bar: svg(drawing, "rect", { x: 0, y: 33 * k + 19, height: 6, width: 0 }),
  }));
  return ({ seen, spell, fits }) => {
    rows.forEach(({ name, share, bar }, k) => {
      const caption = seen?.list[k], own = caption?.own;
      name.textContent = caption
        ? `${caption.rank}. ${spell(caption.words)}${fits(caption.words) ? " ✓" : ""}` : "";
      name.setAttribute("class", own ? "mg-strong" : "");
      share.textContent = caption ? percent(caption.share) : "";
      bar.setAttribute("width", caption ? WIDTH * caption.share : 0);
      bar.setAttribute("class", own ? "mg-text" : "mg-other");
    });
    say(seen ? `yours: rank ${seen.rank} of ${seen.of}` : "");
  };
}

// The figure

function render({ model, el }) {
  const factors = model.get("factors"), words = Object.values(factors).flat();
  const digits = model.get("digits").map(storedDigit), first = model.get("first");
  const models = {}, waiting = {}, progress = {};
  const root = html(el, "div", { className: "mg-explore mg-clip" });
  const { put, schedule, ...figure } = live(model, root, TRAITS, () => draw());
  let strayed = false, lastMap = first, lastPicture = {};

  const chooseK = (k) => put({ k, temperature: model.get("temperatures")[k] });
  html(root, "div", { textContent: "Model that was trained on captions with k attributes" });
  const kinds = choice(root, "model", KS, (name) => chooseK(Number(name.slice(-1))));
  button(kinds.set, "reset", () => { strayed = false; figure.reset(); });
  const note = html(root, "p", { className: "mg-note" }, { role: "status" });
  const grid = html(root, "div", { className: "mg-grid" });
  const field = drawField(grid, (strokes, out) => {
    strayed = out;
    put({ digit: DRAWN, strokes });
  });
  const lists = html(field.box, "div", { className: "mg-lists" });
  const digit = dropdown(lists, "digit", [...factors.digit, "drawn"], (word) =>
    put({ digit: word === "drawn" ? DRAWN : Number(word) }));
  const attributes = Object.entries(factors).slice(1).map(([name, values]) => [name,
    dropdown(lists, name, values, (word) =>
      put({ attributes: { ...model.get("attributes"), [name]: word } }))]);
  button(lists, "clear", () => put({ digit: DRAWN, strokes: [] }));

  const said = () => model.get("caption").split("-").filter(Boolean);
  const chips = drawWords(grid, factors, said, put), captionPanel = chips.box;
  const controls = html(captionPanel, "div", { className: "mg-below" });
  const tau = slider(controls, (value) => put({ temperature: 10 ** value }));
  const centre = choice(controls, "embeddings", ["as they are", "centred"], (name) =>
    put({ centred: name === "centred" }));
  const map = drawMap(grid), answers = drawAnswers(grid);

  const load = (k) => {
    waiting[k] ??= fetchModel(model, k).then(async (packed) => {
      const made = prepare(packed);
      await embedAll(made, (part) => {
        progress[k] = `The model reads the stored captions: ${Math.round(100 * part)} %.`;
        schedule();
      });
      models[k] = made;
    }).catch(() => { models[k] = null; }).finally(schedule);
  };

  /** What is wrong with the reader's input, in a sentence. */
  const complaint = (caption) => {
    if (model.get("digit") === DRAWN && !model.get("strokes").length) {
      return "Nothing is drawn yet: draw a digit, or take one from the list.";
    }
    if (!caption.length) return "The caption has no word yet: name a digit, or an attribute.";
    return clash(factors, caption);
  };

  const draw = () => {
    const [k, held, strokes] = ["k", "digit", "strokes"].map((name) => model.get(name));
    const look = model.get("attributes"), caption = said(), centred = model.get("centred");
    const temperature = model.get("temperature"), wrong = complaint(caption);
    const key = JSON.stringify([held, held === DRAWN && strokes, look]);
    if (lastPicture.key !== key) {
      const shape = held !== DRAWN ? digits[held] : strokes.length ? drawnDigit(strokes) : null;
      lastPicture = { key, picture: shape && drawPicture(shape, look) };
    }
    const { picture } = lastPicture;
    const untouched = TRAITS.every((name) =>
      JSON.stringify(model.get(name)) === JSON.stringify(figure.initial[name]));
    if (!untouched && models[k] === undefined) load(k);
    const digitWord = held === DRAWN
      ? caption.find((word) => factors.digit.includes(word)) : `${held}`;
    const truths = [digitWord, ...Object.values(look)].map((word) => words.indexOf(word));
    const possible = digitWord === undefined ? [] : captionsOf(truths, k);
    let seen = null;
    if (untouched) seen = first.seen;
    else if (models[k] && !wrong) {
      const numbers = caption.map((word) => words.indexOf(word));
      seen = measure(models[k], picture, numbers, possible, { temperature, centred });
    }
    lastMap = untouched ? first : models[k] ?? lastMap;
    note.textContent = wrong || (untouched || models[k] ? strayed
      ? "The stroke left the field and was cut off at its border." : ""
      : models[k] === null ? "The model’s weights did not arrive, so nothing new can be computed. " +
        "Reset shows what was stored." : progress[k] ?? "The model is on its way (about 0.5 MB).");
    kinds.show(`k = ${k}`);
    tau.show(TAU, Math.log10(temperature), `τ = ${temperature.toPrecision(3)}`);
    centre.show(centred ? "centred" : "as they are");
    digit.show(held === DRAWN ? "drawn" : `${held}`);
    for (const [name, list] of attributes) list.show(look[name]);
    chips.show(caption);
    field.show(picture, held === DRAWN ? strokes : [], picture ? [held === DRAWN ? "drawn" : held,
      look.colour].join(", ") : "empty");
    const state = {
      map: lastMap, centred, seen, spell: (numbers) => numbers.map((word) => words[word]).join("-"),
      fits: (numbers) => digitWord !== undefined && numbers.every((word) => truths.includes(word)),
    };
    map(state);
    answers(state);
    return [note.textContent, seen && `Picture and caption ${caption.join(" ")}: cosine ` +
      `${fixed(seen.cosine)}, rank ${seen.rank} of ${seen.of}, softmax ${percent(seen.share)} at ` +
      `τ = ${temperature.toPrecision(3)}. The captions that the picture may get at k = ${k} have ` +
      `cosines from ${fixed(Math.min(...seen.possibleCosines), 2)} to ` +
      `${fixed(Math.max(...seen.possibleCosines), 2)}.`].filter(Boolean).join(" ");
  };
  figure.start();
  return figure.end;
}

export default { render };
