const PAPER = 28; // pixels of a picture's side

/** The field of 28 by 28 pixels: strokes by pointer, or with the arrow keys and the space bar. */
function drawField(parent, change) {
  const { box, say } = panel(parent, "The picture", 1);
  box.querySelector("svg").remove();
  const field = html(box, "div", { className: "mg-field" });
  const canvas = html(field, "canvas", { width: PAPER, height: PAPER, tabIndex: 0 }, {
    role: "application", "data-lm-suppress-shortcuts": "",
    "aria-label": "Field to draw in. Arrow keys move the pen, the space bar sets it down or lifts it.",
  });
  const over = svg(field, "svg", { viewBox: `0 0 ${PAPER} ${PAPER}`, "aria-hidden": "true" });
  const ink = svg(over, "path", { class: "mg-stroke" });
  const pen = svg(over, "circle", { r: 0.8, class: "mg-pen" });
  let strokes = [], stroke = null, spot = [14, 6], down = false, strayed = false;
  const trace = (points) => ink.setAttribute("d", points ? line([points[0], ...points]) : "");
  const finish = () => {
    if (stroke) change([...strokes, stroke], strayed);
    stroke = null;
  };
  const spotOf = (event) => {
    const { left, top, width } = canvas.getBoundingClientRect();
    const raw = [event.clientX - left, event.clientY - top].map((v) => (v * PAPER) / width);
    const inside = raw.map((v) => Math.min(Math.max(v, 0.5), PAPER - 0.5));
    strayed ||= Math.hypot(raw[0] - inside[0], raw[1] - inside[1]) > 1;
    return inside.map((v) => Math.round(100 * v) / 100);
  };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    [strayed, stroke] = [false, [spotOf(event)]];
    trace(stroke);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!stroke || down) return;
    stroke.push(spotOf(event));
    trace(stroke);
  });
  for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, finish);
  canvas.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (!(event.key in step) && event.key !== " ") return;
    event.preventDefault();
    if (event.key === " ") {
      down = !down;
      if (down) stroke = [[...spot]];
      else finish();
    } else {
      spot = spot.map((v, k) => Math.min(Math.max(v + step[event.key][k], 0.5), PAPER - 0.5));
      if (down) stroke.push([...spot]);
    }
    trace(stroke);
    pen.setAttribute("class", down ? "mg-pen mg-down" : "mg-pen");
    pen.setAttribute("cx", spot[0]);
    pen.setAttribute("cy", spot[1]);
  });
  pen.setAttribute("cx", spot[0]);
  pen.setAttribute("cy", spot[1]);
  return { box, show(picture, held, words) {
    strokes = held;
    if (!stroke) trace(null);
    const pixels = new ImageData(PAPER, PAPER), size = PAPER * PAPER;
    for (let k = 0; k < size; k++) {
      for (let c = 0; c < 3; c++) pixels.data[4 * k + c] = picture ? 255 * picture[c * size + k] : 0;
      pixels.data[4 * k + 3] = 255;
    }
    canvas.getContext("2d").putImageData(pixels, 0, 0);
    box.setAttribute("aria-label", `The picture: ${words}`);
    say(words);
  } };
}
