// Random numbers that are the same in Python: `draws.py`.

/** Standard normal numbers, one after the other, from a seed (mulberry32, then Box and Muller). */
export function normals(seed) {
  let state = seed >>> 0;
  const uniform = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let z = Math.imul(state ^ (state >>> 15), state | 1);
    z = (z ^ (z + Math.imul(z ^ (z >>> 7), z | 61))) >>> 0;
    return ((z ^ (z >>> 14)) >>> 0) / 2 ** 32;
  };
  return () => {
    const length = Math.sqrt(-2 * Math.log(1 - uniform()));
    return length * Math.cos(2 * Math.PI * uniform());
  };
}
