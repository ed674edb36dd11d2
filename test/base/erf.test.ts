import { expect, test } from "vitest";
import { erf, erfc } from "../../src/base/erf.ts";

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

/** From mpmath, in 300 bits, rounded to f64. */
const complements: readonly (readonly [number, number])[] = [
  [-6.5, 2.0],
  [-3.0, 1.9999779095030015],
  [-0.875, 1.7840750610598597],
  [-0.25, 1.276326390168237],
  [1e-9, 0.9999999988716208],
  [0.25, 0.7236736098317631],
  [0.5, 0.4795001221869535],
  [0.6, 0.3961439091520741],
  [0.874, 0.21645014323015627],
  [0.875, 0.21592493894014034],
  [1.0, 0.15729920705028513],
  [1.7, 0.01620954140922544],
  [2.5, 0.0004069520174449589],
  [3.3, 3.0577097964381654e-6],
  [4.0, 1.541725790028002e-8],
  [5.0, 1.537459794428035e-12],
  [5.999, 2.1783043429548017e-17],
  [6.0, 2.1519736712498913e-17],
  [6.25, 9.672204131876253e-19],
  [8.0, 1.1224297172982926e-29],
  [11.3, 1.7442148479967189e-57],
  [16.0, 2.3284857515715308e-113],
  [21.7, 8.120388770627523e-207],
  [26.0, 5.663192408856143e-296],
  [27.0, 5.23705e-319],
];

test.each(complements)("erfc(%f), with all digits", (x, y) => {
  const unit = 2 ** (Math.max(-1022, Math.floor(Math.log2(y))) - 52);
  expect(Math.abs(erfc(x) - y)).toBeLessThanOrEqual(4 * unit);
});

test("erfc at zeros, infinities and NaN", () => {
  expect(erfc(0)).toBe(1);
  expect(erfc(-0)).toBe(1);
  expect(erfc(Number.POSITIVE_INFINITY)).toBe(0);
  expect(erfc(Number.NEGATIVE_INFINITY)).toBe(2);
  expect(erfc(28)).toBe(0);
  expect(erfc(Number.NaN)).toBeNaN();
});
