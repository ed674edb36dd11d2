import { bundleForPage } from "./bundle-for-page.ts";
import { servePage } from "./serve.ts";

// `npm run page:text`: the page of examples/text-page/ on this machine, until it is stopped; scripts/minilm.ts gets its model.
const [port = "8080"] = process.argv.slice(2);
const files = { "/train.js": await bundleForPage("examples/text-page/train.js") };
const { url } = await servePage("examples/text-page", { port: Number(port), files });
console.log(`Open ${url} in a browser. Ctrl+C stops it.`);
