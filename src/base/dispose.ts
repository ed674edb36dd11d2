// The declarations of TypeScript's library, for programs that are compiled with one from before it had them.
declare global {
  interface SymbolConstructor {
    readonly dispose: unique symbol;
  }
  interface Disposable {
    [Symbol.dispose](): void;
  }
}

/** Not every browser has `Symbol.dispose` yet; what compilers make of `using` looks it up under that name as it runs. */
if (Symbol.dispose === undefined)
  Object.defineProperty(Symbol, "dispose", { value: Symbol.for("Symbol.dispose") });
