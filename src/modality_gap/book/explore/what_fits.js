// What a caption leaves open: of all pictures of MAD, one for every combination of the six factors,
// those that the caption fits. In the grid a row is a digit with swelling and fracture, a column is
// thickness, size and colour.

const TRAITS = ["caption"];
const CELL = 14; // pixels of a picture's side
const COLUMNS = ["thickness", "size", "colour"], ROWS = ["digit", "swelling", "fracture"];

// Numbers

/** Every picture as its words by factor, in the order of the grid, row after row. */
export function allPictures(factors) {
  return [...ROWS, ...COLUMNS].reduce((pictures, name) => pictures.flatMap((picture) =>
    factors[name].map((word) => ({ ...picture, [name]: word }))), [{}]);
}

/** Which pictures a caption fits. */
export function fitting(pictures, caption) {
  return pictures.map((picture) => caption.every((word) => Object.values(picture).includes(word)));
}

/** Mean bits that captions of the digit and k attributes say of a picture, and leave open. */
export function bitsOf(factors, k) {
  const [digit, ...attributes] = Object.values(factors).map((words) => Math.log2(words.length));
  const all = attributes.reduce((sum, bits) => sum + bits, 0), part = k / attributes.length;
  return { said: digit + part * all, open: (1 - part) * all };
}

// Drawings

/** The grid; a sheet holds the 240 shapes in its colour, a digit a row, 24 shapes a row. */
function drawGrid(parent, pictures, factors, tinted) {
  const { box, drawing, say } = panel(parent, "Pictures that fit", 1);
  drawing.remove();
  const across = COLUMNS.reduce((count, name) => count * factors[name].length, 1);
  const rows = pictures.length / across;
  const size = { width: across * CELL, height: rows * CELL };
  const canvas = html(box, "canvas", size, { role: "img" });
  const pen = canvas.getContext("2d");
  const shapeOf = (picture) => ["thickness", "swelling", "fracture", "size"].reduce((place, name) =>
    place * factors[name].length + factors[name].indexOf(picture[name]), 0);
  return (fits, words) => {
    pen.clearRect(0, 0, canvas.width, canvas.height);
    pictures.forEach((picture, k) => {
      const [x, y] = [(k % across) * CELL, Math.floor(k / across) * CELL];
      pen.globalAlpha = fits[k] ? 1 : 0.12;
      pen.drawImage(tinted[picture.colour], shapeOf(picture) * CELL,
        factors.digit.indexOf(picture.digit) * CELL, CELL, CELL, x, y, CELL - 1, CELL - 1);
    });
    canvas.setAttribute("aria-label", `Pictures that fit: ${words}`);
    say(words);
  };
}

/** Bits as bars: of this caption, and the mean of captions with k attributes. */
function drawBits(parent, factors) {
  const count = Object.keys(factors).length, height = 30 * (count + 1) + 8;
  const { drawing, say } = panel(parent, "Bits said (filled) and left open", height);
  const total = bitsOf(factors, count - 1).said, x = scale([0, total], [92, WIDTH - 50]);
  const names = ["this caption", ...Array.from({ length: count }, (_, k) => `mean, k = ${k}`)];
  const bars = names.map((name, k) => {
    const y = 30 * k + (k ? 10 : 2), place = { x: x(0), y, height: 16 };
    svg(drawing, "text", { x: 0, y: y + 13, class: k ? "" : "mg-strong" }, name);
    svg(drawing, "rect", { ...place, width: x(total) - x(0), class: "mg-open" });
    const bar = svg(drawing, "rect", { ...place, class: k ? "mg-mean" : "mg-said" });
    return { bar, text: svg(drawing, "text", { x: WIDTH, y: y + 13, class: "mg-end" }) };
  });
  const show = ({ bar, text }, said) => {
    bar.setAttribute("width", x(said) - x(0));
    text.textContent = fixed(total - said, 2);
  };
  bars.slice(1).forEach((bar, k) => show(bar, bitsOf(factors, k).said));
  return (said) => {
    show(bars[0], said);
    say(`${fixed(said, 2)} said, ${fixed(total - said, 2)} open`);
  };
}

// The figure

async function render({ model, el }) {
  const factors = model.get("factors"), pictures = allPictures(factors);
  const tinted = await tintedSheets(model.get("sheet"), factors.colour);
  const root = html(el, "div", { className: "mg-explore mg-fits" });
  const { put, ...figure } = live(model, root, TRAITS, () => draw());
  const said = () => model.get("caption").split("-").filter(Boolean);
  const grid = html(root, "div", { className: "mg-grid" });
  const chips = drawWords(grid, factors, said, put), bits = drawBits(grid, factors);
  const row = html(chips.box, "div", { className: "mg-actions" });
  button(row, "no word", () => put({ caption: "" }));
  button(row, "reset", figure.reset);
  const note = html(chips.box, "p", { className: "mg-note" }, { role: "status" });
  const drawn = drawGrid(root, pictures, factors, tinted);
  const draw = () => {
    const caption = said(), wrong = clash(factors, caption), fits = fitting(pictures, caption);
    const count = fits.filter(Boolean).length;
    const words = `${count} of ${pictures.length.toLocaleString("en")}`;
    chips.show(caption);
    drawn(fits, words);
    bits(Math.log2(pictures.length / Math.max(count, 1)));
    note.textContent = wrong || (caption.some((word) => factors.digit.includes(word)) ? ""
      : "No caption of MAD leaves out the digit; the means below are of captions that name it.");
    return wrong || `The caption ${caption.join(" ") || "of no word"} fits ${words} pictures. It ` +
      `says ${fixed(Math.log2(pictures.length / count), 2)} bits and leaves ` +
      `${fixed(Math.log2(count), 2)} open. ${note.textContent}`;
  };
  figure.start();
  return figure.end;
}

export default { render };
