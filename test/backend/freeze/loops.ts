import { elements, freeze, module, type Selector } from "thaw/freeze";
import { clipGradNorm_, clipGradValue_ } from "thaw/optim";
import { capture, type Tensor, tensor } from "thaw/tensor";
import { trainStep } from "thaw/train";
import { type Combination, type GradientKind, type Held, helds, type Mechanism } from "./axes.ts";
import type { Phase, World } from "./network.ts";

/** How a combination trains: a step of all, a step with some held, a step of the held parameter alone. */
export interface Loop {
  warm(): Promise<void>;
  hold(): Promise<void>;
  thaw(): Promise<void>;
}

const input = (): Tensor =>
  tensor([
    [0.4, -0.6],
    [1, 1],
    [-1, 0.3],
  ]);

const harmless = [0, 0, 0, 0, 0, 0];
const alone = [0.3, -0.2, 0.1, 0.4, -0.5, 0.6];
/** What is added to the gradient of the held parameter through the loss. */
const poisons: Record<GradientKind, readonly number[]> = {
  null: harmless,
  zero: harmless,
  stale: harmless,
  NaN: harmless.map(() => Number.NaN),
  infinite: [1, -1, 1, 1, -1, -1].map((sign) => sign * Number.POSITIVE_INFINITY),
};

const shaped = (values: readonly number[]): Tensor => tensor([...values]).reshape([3, 2]);

/** The values where an element is held, 0 elsewhere. */
const where = (flags: readonly boolean[], values: readonly number[]): Tensor =>
  shaped(values.map((value, i) => (flags[i] ? value : 0)));

const selectorOf = (named: NonNullable<Held["rest"]>): Selector =>
  typeof named === "string" ? named : elements("held.weight", named);

const others = ["free.**", "output.**"];

/** What both kinds of loop need to know. */
interface Setting {
  readonly world: World;
  readonly combination: Combination;
  readonly flags: readonly boolean[];
  readonly held: Selector;
  /** All that is trained while the parameter, or some of it, is held. */
  readonly trained: readonly Selector[];
  readonly poison: Tensor;
}

/** The loop of a combination. */
export function makeLoop(world: World, combination: Combination): Loop {
  const { held, rest, flags }: Held = helds[combination.what];
  const setting: Setting = {
    world,
    combination,
    flags,
    held: combination.surrounding === "buffers" ? module("held") : selectorOf(held),
    trained: rest === null ? others : [selectorOf(rest), ...others],
    poison: where(flags, poisons[combination.gradient]),
  };
  return combination.mechanism in trainSteps
    ? trainSteps[combination.mechanism as keyof typeof trainSteps](setting)
    : handLoop(setting);
}

/** The gradient that is left lying about; what a `trainStep` trains comes from its loss alone. */
function leave({ world, combination: { gradient }, flags }: Setting): void {
  const { weight } = world.net.held;
  weight.grad =
    gradient === "null" ? null : gradient === "stale" ? shaped(alone) : where(flags, poisons[gradient]);
}

function makeStep({ world: { net, optimizer, ema }, combination: { surrounding } }: Setting) {
  return (trains: Selector | ((phase: Phase) => Selector), freezes?: Selector) =>
    trainStep(optimizer, {
      module: net,
      loss: (phase: Phase, x: Tensor, poison: Tensor) => net.loss(phase, x, poison),
      trains: trains as "**",
      freezes,
      report: false,
      accumulate: surrounding === "accumulation" ? 2 : 1,
      clipNorm: surrounding === "clipping by norm" ? 0.2 : undefined,
      clipValue: surrounding === "clipping by value" ? 0.05 : undefined,
      ema: ema ?? undefined,
    });
}

const calls = ({ combination: { surrounding } }: Setting): number => (surrounding === "accumulation" ? 2 : 1);

const trainSteps = {
  trains(setting: Setting): Loop {
    const make = makeStep(setting);
    const all = make(["held.**", ...others]);
    const some = make(
      [...setting.trained],
      setting.combination.surrounding === "buffers" ? setting.held : undefined,
    );
    const one = make("held.**");
    const repeat = async (step: typeof all, phase: Phase, poison: Tensor): Promise<void> => {
      for (let i = 0; i < calls(setting); i++) await step(phase, input(), poison);
    };
    return {
      warm: () => repeat(all, "both", shaped(harmless)),
      hold() {
        leave(setting);
        return repeat(some, "both", setting.poison);
      },
      thaw: () => repeat(one, "alone", shaped(alone)),
    };
  },
  "a task switch"(setting: Setting): Loop {
    const trains: Record<Phase, readonly Selector[]> = {
      both: ["held.**", ...others],
      other: setting.trained,
      some: setting.trained,
      alone: ["held.**"],
    };
    const step = makeStep(setting)((phase: Phase) => trains[phase]);
    const repeat = async (phase: Phase, poison: Tensor): Promise<void> => {
      for (let i = 0; i < calls(setting); i++) await step(phase, input(), poison);
    };
    return {
      warm: () => repeat("both", shaped(harmless)),
      hold() {
        leave(setting);
        return repeat(setting.combination.what === "the whole" ? "other" : "some", setting.poison);
      },
      thaw: () => repeat("alone", shaped(alone)),
    };
  },
  "a scope around trainStep"(setting: Setting): Loop {
    const trains = (phase: Phase): Selector => (phase === "alone" ? "held.**" : ["held.**", ...others]);
    const step = makeStep(setting)(trains);
    const repeat = async (phase: Phase): Promise<void> => {
      const poison = shaped(phase === "alone" ? alone : harmless);
      for (let i = 0; i < calls(setting); i++) await step(phase, input(), poison);
    };
    return {
      warm: () => repeat("both"),
      async hold() {
        leave(setting);
        // The sum that an earlier call of the round began with is dropped when the scope is there at the last.
        for (let i = 1; i < calls(setting); i++) await step("both", input(), setting.poison);
        const { net } = setting.world;
        await freeze(net, setting.held as "**", () => step("both", input(), setting.poison));
      },
      thaw: () => repeat("alone"),
    };
  },
} satisfies Partial<Record<Mechanism, (setting: Setting) => Loop>>;

/** Where in a step a scope can be opened. */
const moments = {
  "a scope opened before forward": "forward",
  "a scope between forward and backward": "backward",
  "a scope between backward and step": "step",
} as const;

function handLoop(setting: Setting): Loop {
  const { world, combination, flags, held: selector } = setting;
  const { net, optimizer, ema } = world;
  const { mechanism, gradient, surrounding, what } = combination;
  const { weight } = net.held;
  const opens = mechanism in moments ? moments[mechanism as keyof typeof moments] : null;
  const isRegion = what !== "the whole";

  const clip = (): void => {
    if (surrounding === "clipping by norm") clipGradNorm_(optimizer.parameters(), 0.2);
    if (surrounding === "clipping by value") clipGradValue_(optimizer.parameters(), 0.05);
  };
  const plain = (phase: Phase, x: Tensor, poison: Tensor): Tensor => {
    optimizer.zeroGrad();
    for (let i = 0; i < calls(setting); i++) net.loss(phase, x, poison).backward();
    clip();
    optimizer.step();
    ema?.update();
    return tensor(0);
  };
  /** The gradients as they are before backward. */
  const zero = (): void => {
    if (gradient === "zero") optimizer.zeroGrad({ setToNone: false });
    else
      for (const p of optimizer.parameters())
        if (gradient !== "stale" || p !== weight || isRegion) p.grad = null;
  };
  /** The gradient of what is held as it is before the step: what backward left, unless that is of another kind. */
  const give = (): void => {
    const free = shaped(flags.map((flag) => (flag ? 0 : 1)));
    if (gradient === "null" || mechanism === "grad = null") weight.grad = null;
    else if (gradient === "zero") weight.grad = weight.grad === null ? free.mul(0) : weight.grad.mul(free);
    else weight.grad ??= gradient === "stale" ? shaped(alone) : where(flags, poisons[gradient]);
  };
  const holding = (x: Tensor, poison: Tensor): Tensor => {
    const scopes: Disposable[] = [];
    const open = (moment: "forward" | "backward" | "step"): void => {
      if (moment === opens) scopes.push(freeze(net, selector as "**"));
    };
    const phase = mechanism === "a task switch by hand" ? "other" : "both";
    zero();
    // Of several calls only the last is made with something held.
    for (let i = 1; i < calls(setting); i++) net.loss(phase, x, poison).backward();
    if (mechanism === "requiresGrad = false") weight.requiresGrad = false;
    open("forward");
    const loss = net.loss(phase, x, poison);
    open("backward");
    loss.backward();
    open("step");
    give();
    clip();
    optimizer.step();
    ema?.update();
    for (const scope of scopes) scope[Symbol.dispose]();
    weight.requiresGrad = true;
    return tensor(0);
  };
  const isCaptured = surrounding === "capture";
  const [ordinary, special] = isCaptured ? [capture(plain), capture(holding)] : [plain, holding];
  return {
    warm: async () => void ordinary("both", input(), shaped(harmless)),
    hold: async () => void special(input(), setting.poison),
    thaw: async () => void ordinary("alone", input(), shaped(alone)),
  };
}
