/**
 * The error function in f64, to 1.3 units in the last place, or with `complement` 1 its complement 1 - erf, to 4, of
 * the smallest results too. Below 7/8, x + x · P(x²). Above, erfc(a) = e^(-a²) · Q(1 / (a + 3)) up to 6, and
 * e^(-a²) / a · R(1 / a²) beyond. The polynomials interpolate at Chebyshev nodes, in 200 bits of precision or more.
 * It stands for itself: backends take its source text to where modules cannot be imported.
 */
export function errorFunction(x: number, complement: number): number {
  const a = Math.abs(x);
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
    p = p * z + 1.283791670955126e-1;
    // Where the result is small, ½ - x is exact, and so is what is taken from it small.
    if (complement === 0) return x + x * p;
    return x > 0.5 ? 0.5 - (x - 0.5 + x * p) : 1 - (x + x * p);
  }
  let q: number;
  if (a < 6) {
    // From -1 at a = 6 to 1 at 7/8.
    const u = 13.609756097560975 / (a + 3) - 2.5121951219512195;
    q = 1.3104905986707017e-11;
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
  } else {
    if (complement === 0 || a > 28) return complement === 0 ? Math.sign(x) : x > 0 ? 0 : 2;
    // From -1 at a = 6 to 1 at 28.
    const u = 1.0962566844919786 - 75.46524064171123 / (a * a);
    q = 1.4585631617624074e-13;
    q = q * u + 1.6159011817252374e-12;
    q = q * u + 1.9503439341029996e-11;
    q = q * u + 2.718097100331232e-10;
    q = q * u + 4.377373959994398e-9;
    q = q * u + 8.417021896671266e-8;
    q = q * u + 2.0314100320221344e-6;
    q = q * u + 6.694855417304858e-5;
    q = q * u + 3.583488290329531e-3;
    q = q * u + 5.601778979027973e-1;
    q /= a;
  }
  // a² in two parts, of which the first is exact: what its rounding would lose grows with a².
  const high = Math.fround(a);
  const tail = Math.exp(-high * high) * Math.exp((high - a) * (high + a)) * q;
  if (complement === 0) return Math.sign(x) * (1 - tail);
  return x > 0 ? tail : 2 - tail;
}

/** The error function. */
export const erf = (x: number): number => errorFunction(x, 0);

/** 1 - erf x, with full relative precision where that is small. */
export const erfc = (x: number): number => errorFunction(x, 1);
