// Starts the worker and shows what it says; the page stays alive meanwhile.
const [said, text, found] = ["said", "text", "found"].map((id) => document.getElementById(id));
const query = new URLSearchParams(location.search);
const worker = new Worker("./train.js", { type: "module" });
worker.onmessage = ({ data: { line, label } }) => {
  if (line !== undefined) said.textContent += `${line}\n`;
  if (label === undefined) return;
  text.disabled = false;
  found.textContent = label;
};
worker.onerror = ({ message }) => {
  said.textContent += `${message}\n`;
};
text.onchange = () => worker.postMessage({ text: text.value });
// Where the model is, and how many texts are taken; a worker knows no addresses relative to the page.
worker.postMessage({
  base: new URL(query.get("base") ?? "/examples/data/minilm/", location.href).href,
  texts: Number(query.get("texts") ?? 1000),
});
