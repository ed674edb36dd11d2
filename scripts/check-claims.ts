// Runs every script of docs/freezing.md, those in Python with the interpreter that is given, and compares what they
// print with the page.
//
//   npm run check:claims -- [PYTHON]
import { claims, problemOf, tableClaims } from "./claims.ts";

let failed = 0;
for (const claim of [...claims, ...tableClaims]) {
  const problem = await problemOf(claim, process.argv[2]);
  console.log(`${problem === null ? "holds" : "FAILS"}  ${claim.command}`);
  if (problem !== null) {
    failed++;
    console.log(problem);
  }
}
process.exitCode = failed === 0 ? 0 : 1;
