/** Not every browser has `Symbol.dispose` yet; what compilers make of `using` looks it up under that name as it runs. */
if (Symbol.dispose === undefined)
  Object.defineProperty(Symbol, "dispose", { value: Symbol.for("Symbol.dispose") });
