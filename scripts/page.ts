import { servePage } from "./serve.ts";

// `npm run page`: the page of examples/page/ on this machine, until it is stopped.
const [port = "8080"] = process.argv.slice(2);
try {
  const { url } = await servePage("examples/page", { port: Number(port) });
  console.log(`Open ${url} in a browser. Ctrl+C stops it.`);
} catch (error) {
  console.error(`${(error as Error).message}\nAnother port: npm run page -- 8081`);
  process.exitCode = 1;
}
