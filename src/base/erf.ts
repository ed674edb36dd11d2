/**
 * The error function in f64, to 1.3 units in the last place. Below 7/8, x + x · P(x²); above, 1 - erfc, with
 * erfc(a) = e^(-a²) · Q(1 / (a + 3)). Both polynomials interpolate at Chebyshev nodes, in 200 bits of precision.
 * It stands for itself: backends take its source text to where modules cannot be imported.
 */
export function erf(x: number): number {
  const a = Math.abs(x);
  if (a >= 6) return Math.sign(x);
  if (!(a >= 0.875)) {
    const z = x * x;
    let p = -8.666276629203472e-10;
    p = p * z + 1.4122777660357666e-8;
    p = p * z - 1.6289242608284092e-7;
    p = p * z + 1.6456607597388118e-6;
    p = p * z - 1.492538720169797e-5;
    p = p * z + 1.2055324561705379e-4;
    p = p * z - 8.548326845690305e-4;
    p = p * z + 5.223977623059443e-3;
    p = p * z - 2.6866170644942594e-2;
    p = p * z + 1.1283791670954353e-1;
    p = p * z - 3.761263890318374e-1;
    return x + x * (p * z + 1.283791670955126e-1);
  }
  // From -1 at a = 6 to 1 at 7/8.
  const u = 13.609756097560975 / (a + 3) - 2.5121951219512195;
  let q = 1.3104905986707017e-11;
  q = q * u - 2.6165968059902555e-12;
  q = q * u - 5.107012454734465e-10;
  q = q * u + 1.5619378259908574e-10;
  q = q * u + 2.0133972604213646e-8;
  q = q * u + 1.852739989182986e-8;
  q = q * u - 8.639464956558655e-7;
  q = q * u - 3.9816837159910165e-6;
  q = q * u + 2.5992191319625813e-5;
  q = q * u + 4.485251718326265e-4;
  q = q * u + 3.229153309198679e-3;
  q = q * u + 1.5754189355268847e-2;
  q = q * u + 5.817350119313176e-2;
  q = q * u + 1.6956875617670278e-1;
  q = q * u + 2.1711627311807302e-1;
  return Math.sign(x) * (1 - Math.exp(-a * a) * q);
}
