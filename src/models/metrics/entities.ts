/** Words of a text that belong together, from one to another, which belongs to them. */
export interface Entity {
  readonly type: string;
  readonly from: number;
  readonly to: number;
}

/**
 * The entities that tags such as "B-PER", "I-PER" and "O" make; tags of BIOES too. One that goes on, "I-PER", begins an
 * entity where none of its type is under way.
 *
 * Source: `get_entities` of seqeval.
 */
export function entitiesOf(tags: readonly string[]): Entity[] {
  const entities: Entity[] = [];
  let [before, typeBefore, from] = ["O", "", 0];
  for (const [i, name] of [...tags, "O"].entries()) {
    const tag = name.slice(0, 1);
    const rest = name.slice(1);
    const type = (rest.includes("-") ? rest.slice(rest.indexOf("-") + 1) : rest) || "_";
    if (ends(before, tag, typeBefore !== type)) entities.push({ type: typeBefore, from, to: i - 1 });
    if (begins(before, tag, typeBefore !== type)) from = i;
    [before, typeBefore] = [tag, type];
  }
  return entities;
}

const isOutside = (tag: string): boolean => tag === "O" || tag === ".";

/** Whether an entity that was under way has ended before a tag. */
const ends = (before: string, tag: string, isOther: boolean): boolean =>
  before === "E" ||
  before === "S" ||
  ((before === "B" || before === "I") && ["B", "S", "O"].includes(tag)) ||
  (!isOutside(before) && isOther);

/** Whether an entity begins with a tag. */
const begins = (before: string, tag: string, isOther: boolean): boolean =>
  tag === "B" ||
  tag === "S" ||
  (["E", "S", "O"].includes(before) && (tag === "E" || tag === "I")) ||
  (!isOutside(tag) && isOther);
