import { expect, test } from "vitest";
import { erf } from "../../src/base/erf.ts";

/** From mpmath, in 200 bits, rounded to f64. */
const exact: readonly (readonly [number, number])[] = [
  [1e-300, 1.1283791670955126e-300],
  [9.313225746154785e-10, 1.050884991041862e-9],
  [0.01, 0.011283415555849618],
  [0.1, 0.1124629160182849],
  [0.25, 0.27632639016823696],
  [0.4446540186181646, 0.4705434032507883],
  [0.5, 0.5204998778130465],
  [0.75, 0.7111556336535151],
  [0.874, 0.7835498567698438],
  [0.875, 0.7840750610598597],
  [0.9, 0.7969082124228322],
  [1, 0.8427007929497149],
  [1.25, 0.9229001282564583],
  [1.5356158182956279, 0.9701208498330878],
  [2, 0.9953222650189527],
  [2.5, 0.999593047982555],
  [2.954972039582208, 0.9999707156794906],
  [3, 0.9999779095030014],
  [3.5, 0.9999992569016276],
  [4, 0.9999999845827421],
  [4.777471824456007, 0.9999999999858504],
  [5.5, 0.9999999999999927],
  [5.9, 0.9999999999999999],
];

test.each(exact)("erf(%f), and of its negative", (x, y) => {
  const unit = 2 ** (Math.floor(Math.log2(y)) - 52);
  // Two neighbours differ by one unit: no more than 1.3 is at most one step from what was rounded.
  expect(Math.abs(erf(x) - y)).toBeLessThanOrEqual(unit);
  expect(erf(-x)).toBe(-erf(x));
});

test("zeros, infinities, NaN and the smallest number", () => {
  expect(erf(0)).toBe(0);
  expect(erf(-0)).toBe(-0);
  expect(erf(Number.POSITIVE_INFINITY)).toBe(1);
  expect(erf(Number.NEGATIVE_INFINITY)).toBe(-1);
  expect(erf(6)).toBe(1);
  expect(erf(Number.NaN)).toBeNaN();
  expect(erf(5e-324)).toBe(5e-324);
});

test("never falls, across the point where the formulas meet too", () => {
  for (let i = 0, last = -1; i <= 12_000; i++) {
    const y = erf((i - 6000) / 1000);
    expect(y).toBeGreaterThanOrEqual(last);
    last = y;
  }
  for (let i = -50, last = 0; i <= 50; i++) {
    const y = erf(0.875 + i * 2 ** -50);
    expect(y).toBeGreaterThanOrEqual(last - 2 ** -53);
    last = y;
  }
});
