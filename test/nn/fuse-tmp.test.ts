import { test } from "vitest";
import * as nn from "thaw/nn";
import { capture, Parameter, zeros, gradient, tensor } from "thaw/tensor";
test("x", () => {
  const w = new Parameter(zeros([10,4]));
  const t = tensor([0,1,2,3,0,1,2,3,1,2],{dtype:"i32"});
  for (const o of [{}, {labelSmoothing: .1}]) {
  const f = capture((t: any) => { const loss = nn.crossEntropy(w, t, o); const [g] = gradient(loss,[w]); return [loss, g!]; });
  f(t);
  for (const c of (f.plan as any).calls) console.log(c.kernel.outer, c.kernel.inner, c.kernel.body.map((b:any)=>b.op+(b.op==="load"?b.access:"")).join(" "), "->", JSON.stringify(c.kernel.stores));
  console.log("--");
  }
});
