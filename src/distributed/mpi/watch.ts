import { GroupError } from "../../base/errors.ts";
import type { Control } from "../control.ts";
import { actions } from "../engine.ts";

/** Where other ranks reach the watch of rank 0, and by what word. */
export interface Hub {
  readonly hosts: readonly string[];
  readonly port: number;
  readonly token: string;
}

/** Milliseconds between two words of a rank. */
const sayEvery = 100;

/**
 * The program of the thread that watches over the ranks, as text so that it needs no file of its own. Ranks tell each
 * other, by way of rank 0, what they are at, that they have failed, and that they have come to their end; a rank that dies
 * takes its connection with it, and one whose machine is gone, or that is stopped, is not heard of any more.
 */
const program = `
const { workerData: d } = require("node:worker_threads");
const net = require("node:net");
const words = new Int32Array(d.memory), bytes = new Uint8Array(d.memory), p = d.places;
const encoder = new TextEncoder(), decoder = new TextDecoder();
const began = Date.now(), sockets = new Map(), heard = new Map(), ended = new Set();
const word = (rank, at) => p.rank + rank * p.rankWords + at;
const clock = () => ((performance.timeOrigin + performance.now()) % 2 ** 31) | 0;
let told = "", said = 0, toldFailure = false;

function fail(rank, text, kind) {
  if (Atomics.compareExchange(words, p.failed, 0, -1) !== 0) return;
  const message = encoder.encode(text).subarray(0, p.messageBytes);
  bytes.set(message, p.message * 4);
  Atomics.store(words, p.length, message.length);
  Atomics.store(words, p.kind, kind);
  Atomics.store(words, p.failed, rank + 1);
}
function seenText(rank) {
  const action = words[word(rank, p.action)], count = words[word(rank, p.count)];
  if (action === 0) return "it has not come to the group yet";
  const seconds = Math.max(0, (clock() - words[word(rank, p.time)]) | 0) / 1000;
  return "it last was in " + d.actions[action] + (count > 0 ? " " + count : "") + ", " + seconds.toFixed(1) + " s ago";
}
/** What a rank says: of itself, or of one that has failed. */
function take(news, from) {
  heard.set(d.rank === 0 ? news.rank : 0, Date.now());
  if (news.failed !== undefined) fail(news.failed, news.text, news.kind);
  else {
    words[word(news.rank, p.action)] = news.action;
    words[word(news.rank, p.count)] = news.count;
    words[word(news.rank, p.time)] = (clock() - news.since) | 0;
    words[word(news.rank, p.waits)] = news.waits;
    words[word(news.rank, p.heard)] = clock() || 1;
    if (news.ended) { ended.add(news.rank); Atomics.store(words, word(news.rank, p.ended), 1); }
  }
  if (d.rank === 0) pass(news, from);
}
function pass(news, except) {
  const line = JSON.stringify(news) + "\\n";
  for (const socket of sockets.values()) if (socket !== except) socket.write(line);
}
function lost(rank) {
  sockets.delete(rank);
  if (ended.has(rank) || Atomics.load(words, p.failed) !== 0) return;
  const text = "rank " + rank + " has ended without a word (killed, or out of memory); " + seenText(rank);
  fail(rank, text, 1);
  pass({ rank: d.rank, failed: rank, text, kind: 1 }, null);
}
function connect(rank, socket) {
  sockets.set(rank, socket);
  heard.set(rank, Date.now());
  Atomics.add(words, p.connected, 1);
  Atomics.notify(words, p.connected);
}
function listen(socket, rank) {
  let rest = "";
  socket.setNoDelay(true);
  socket.on("error", () => {});
  socket.on("data", (piece) => {
    const lines = (rest + piece).split("\\n");
    rest = lines.pop();
    for (const line of lines) {
      let news;
      try { news = JSON.parse(line); } catch { socket.destroy(); return; }
      if (rank === null) {
        if (news.token !== d.token || !(news.rank > 0 && news.rank < d.ranks)) { socket.destroy(); return; }
        rank = news.rank;
        connect(rank, socket);
      } else take(news, socket);
    }
    if (rest.length > 65536) socket.destroy();
  });
  socket.on("close", () => { if (rank !== null) lost(rank); });
}
function say() {
  const failed = Atomics.load(words, p.failed);
  if (failed > 0 && !toldFailure) {
    toldFailure = true;
    const from = p.message * 4;
    const text = decoder.decode(bytes.slice(from, from + Atomics.load(words, p.length)));
    pass({ rank: d.rank, failed: failed - 1, text, kind: Atomics.load(words, p.kind) }, null);
  }
  const own = {
    rank: d.rank, waits: words[word(d.rank, p.waits)], action: words[word(d.rank, p.action)], count: words[word(d.rank, p.count)],
    since: Math.max(0, (clock() - words[word(d.rank, p.time)]) | 0), ended: Atomics.load(words, word(d.rank, p.ended)) === 1,
  };
  const now = Date.now(), text = [own.action, own.count, own.waits, own.ended].join();
  if (text !== told || now - said > 500) { told = text; said = now; pass(own, null); }
  if (own.ended || failed > 0) Atomics.store(words, p.told, 1);
  // A pause of this process itself, after which nobody has been heard of for as long, says nothing of the others.
  if (now - last > 2000) for (const rank of heard.keys()) heard.set(rank, now);
  last = now;
  if (failed !== 0) return;
  // What comes of others comes by way of rank 0: where that is silent, nothing is known of them.
  for (let rank = 0; rank < (d.rank === 0 ? d.ranks : 1); rank++) {
    if (rank === d.rank || ended.has(rank)) continue;
    const silent = now - (heard.get(rank) ?? began);
    if (silent < d.silence) continue;
    const never = heard.has(rank) ? "" : " yet";
    const text = "nothing has been heard of rank " + rank + never + " for " + (silent / 1000).toFixed(0) +
      " s: it is stopped, or its machine is cut off; " + seenText(rank);
    fail(rank, text, 2);
  }
}
let last = Date.now();
setInterval(say, d.sayEvery);
if (d.rank === 0) {
  const server = net.createServer((socket) => listen(socket, null));
  server.listen(0, () => {
    Atomics.store(words, p.port, server.address().port);
    Atomics.notify(words, p.port);
  });
} else {
  const tryHost = (at) => {
    if (at >= d.hosts.length) {
      fail(d.rank, "rank " + d.rank + " cannot reach rank 0 at " + d.hosts.join(", ") + ", port " + d.port + ": are connections between the machines allowed?", 1);
      return;
    }
    const socket = net.connect({ host: d.hosts[at], port: d.port });
    const timer = setTimeout(() => socket.destroy(), 3000);
    let connected = false;
    socket.once("connect", () => {
      connected = true;
      clearTimeout(timer);
      socket.write(JSON.stringify({ token: d.token, rank: d.rank }) + "\\n");
      connect(0, socket);
      listen(socket, 0);
      told = "";
    });
    socket.on("error", () => {});
    socket.once("close", () => { clearTimeout(timer); if (!connected) tryHost(at + 1); });
  };
  tryHost(0);
}`;

/** What a rank tells of itself from now on, and hears of the others. */
export interface Watch {
  /** Where other ranks reach this one, which is rank 0. */
  readonly hub: Hub;
  /** Waits until rank 0 and the others are connected, so that the end of one is known at once from then on. */
  join(): void;
  /** Waits until what has been noted last has been told, or for so many milliseconds. */
  flush(milliseconds: number): void;
}

/**
 * Starts the thread that watches over ranks. `hub` is what rank 0's watch gave; null on rank 0. After `silence`
 * milliseconds without a word a rank counts as stopped.
 */
export function startWatch(
  control: Control,
  rank: number,
  { hub, silence }: { hub: Hub | null; silence: number },
): Watch {
  const { Worker } = process.getBuiltinModule("node:worker_threads");
  const { places } = control;
  const words = new Int32Array(control.memory);
  const token = hub?.token ?? process.getBuiltinModule("node:crypto").randomBytes(16).toString("hex");
  const hosts = hub?.hosts ?? ownHosts();
  const worker = new Worker(program, {
    eval: true,
    execArgv: [],
    workerData: {
      memory: control.memory,
      places,
      actions,
      ranks: control.ranks,
      rank,
      silence,
      sayEvery,
      token,
      hosts,
      port: hub?.port ?? 0,
    },
  });
  worker.on("error", ({ message }) => control.fail(rank, `rank ${rank}'s watch has ended: ${message}`));
  worker.unref();
  if (hub === null && Atomics.wait(words, places.port, 0, 10_000) === "timed-out")
    throw new GroupError("MPI: rank 0 could not listen for the others; are sockets allowed?");
  return {
    hub: hub ?? { hosts, port: Atomics.load(words, places.port), token },
    join() {
      const expected = rank === 0 ? control.ranks - 1 : 1;
      for (;;) {
        const failure = control.failure();
        if (failure !== null) throw failure;
        const connected = Atomics.load(words, places.connected);
        if (connected >= expected) return;
        Atomics.wait(words, places.connected, connected, 50);
      }
    },
    flush(milliseconds) {
      Atomics.store(words, places.told, 0);
      const end = performance.now() + milliseconds;
      while (Atomics.load(words, places.told) === 0 && performance.now() < end)
        Atomics.wait(words, places.told, 0, 10);
    },
  };
}

/** Addresses of this machine, those first that others reach it by; last that of the machine itself. */
function ownHosts(): string[] {
  const all = Object.values(process.getBuiltinModule("node:os").networkInterfaces()).flatMap(
    (each) => each ?? [],
  );
  const outer = all.filter(({ internal, address }) => !internal && !address.startsWith("fe80"));
  return [...outer.map(({ address }) => address), "127.0.0.1"];
}
