// Grey shapes in one picture, coloured as MAD colours them.

const TINTS = {
  grey: "#808080", red: "#f00", green: "#0f0", blue: "#00f",
  cyan: "#0ff", magenta: "#f0f", yellow: "#ff0",
};

/** Shapes from an address that holds them, and the same in each of the colours. */
async function tintedSheets(source, colours) {
  const sheet = new Image();
  sheet.src = source;
  await sheet.decode();
  return Object.fromEntries(colours.map((colour) => {
    const copy = Object.assign(document.createElement("canvas"),
      { width: sheet.width, height: sheet.height });
    const brush = copy.getContext("2d");
    brush.drawImage(sheet, 0, 0);
    brush.globalCompositeOperation = "multiply";
    brush.fillStyle = TINTS[colour];
    brush.fillRect(0, 0, sheet.width, sheet.height);
    return [colour, copy];
  }));
}
