/**
 * The error function in f64, to a few units in the last place. Below 3, the series e^(-x²)·Σ 2ⁿx²ⁿ⁺¹/(2n+1)!!,
 * whose terms are all positive (Abramowitz & Stegun 7.1.6); above, the continued fraction of erfc (7.1.14).
 */
export function erf(x: number): number {
  if (Number.isNaN(x)) return x;
  const a = Math.abs(x);
  if (a > 6) return Math.sign(x);
  if (a < 3) {
    let term = x;
    let sum = x;
    for (let n = 1; Math.abs(term) > Math.abs(sum) * 1e-17 && n < 100; n++) {
      term *= (2 * a * a) / (2 * n + 1);
      sum += term;
    }
    return (2 / Math.sqrt(Math.PI)) * Math.exp(-a * a) * sum;
  }
  let fraction = 0;
  for (let n = 60; n > 0; n--) fraction = n / 2 / (a + fraction);
  return Math.sign(x) * (1 - Math.exp(-a * a) / (Math.sqrt(Math.PI) * (a + fraction)));
}
