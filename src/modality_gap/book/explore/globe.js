// The unit sphere as an eye sees it that stands far above a point { longitude, latitude }, degrees.

const RADIANS = Math.PI / 180;

const onSphere = (latitude, longitude) => {
  const [b, l] = [latitude * RADIANS, longitude * RADIANS];
  return [Math.cos(b) * Math.cos(l), Math.cos(b) * Math.sin(l), Math.sin(b)];
};

/** A point in space as the eye has it: across, up, and towards the eye. */
function seen([x, y, z], { longitude, latitude }) {
  const l = longitude * RADIANS, tilt = latitude * RADIANS;
  const ahead = x * Math.cos(l) + y * Math.sin(l);
  return [
    y * Math.cos(l) - x * Math.sin(l),
    Math.cos(tilt) * z - Math.sin(tilt) * ahead,
    Math.sin(tilt) * z + Math.cos(tilt) * ahead,
  ];
}

/** The visible half of the circles of latitude and longitude, every 30 degrees, as a path. */
function graticule(eye, place) {
  const turn = Array.from({ length: 61 }, (_, k) => 6 * k - 180);
  const around = [-60, -30, 0, 30, 60].map((b) => turn.map((l) => seen(onSphere(b, l), eye)));
  const upright = turn.filter((l) => l % 30 === 0).map((l) =>
    turn.map((b) => seen(onSphere(b / 2, l), eye)));
  const pairs = (points) => points.slice(1).map((point, k) => [points[k], point]);
  const pieces = [...around, ...upright].flatMap(pairs);
  const near = pieces.filter((piece) => piece.every((point) => point[2] > 0));
  return near.map((piece) => line(piece.map(place))).join("");
}
