/**
 * Node 20 has no `Symbol.dispose`. Compilers that lower `using` look the symbol up as it runs, so it must exist under
 * that name.
 */
if (Symbol.dispose === undefined) Object.defineProperty(Symbol, "dispose", { value: Symbol.for("Symbol.dispose") });
