/**
 * A persistent ordered map from strings to values: a B+ tree of nodes that are never changed once somebody else may see
 * them. A snapshot is a pointer. Keys are ordered by UTF-16 code units (for ASCII: by bytes).
 */
const nodeWidthMax = 32;
const nodeWidthMin = 8;

/** Leaves have `values`, branches have `children`; a branch's `keys[i]` is a lower bound of what child i holds. */
class TreeNode<V> {
  readonly owner: object;
  readonly keys: string[];
  readonly values: V[];
  readonly children: TreeNode<V>[] | undefined;
  count: number;

  constructor(owner: object, keys: string[], values: V[], children: TreeNode<V>[] | undefined, count: number) {
    this.owner = owner;
    this.keys = keys;
    this.values = values;
    this.children = children;
    this.count = count;
  }
}

/** The index of the first key that is not below `key`. */
function lowerBound(keys: readonly string[], key: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (keys[middle]! < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The child of a branch that holds `key` or would hold it. */
function childIndex(keys: readonly string[], key: string): number {
  let low = 1;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (keys[middle]! <= key) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

function find<V>(root: TreeNode<V>, key: string): V | undefined {
  let node = root;
  while (node.children !== undefined) node = node.children[childIndex(node.keys, key)]!;
  const index = lowerBound(node.keys, key);
  return node.keys[index] === key ? node.values[index] : undefined;
}

/** How many keys are below `key`. */
function rank<V>(root: TreeNode<V>, key: string): number {
  let below = 0;
  let node = root;
  while (node.children !== undefined) {
    const index = childIndex(node.keys, key);
    for (let i = 0; i < index; i += 1) below += node.children[i]!.count;
    node = node.children[index]!;
  }
  return below + lowerBound(node.keys, key);
}

function* walk<V>(root: TreeNode<V>, start: string, end: string): IterableIterator<V> {
  const branches: TreeNode<V>[] = [];
  const positions: number[] = [];
  let node = root;
  while (node.children !== undefined) {
    const index = childIndex(node.keys, start);
    branches.push(node);
    positions.push(index);
    node = node.children[index]!;
  }
  let position = lowerBound(node.keys, start);
  for (;;) {
    for (; position < node.keys.length; position += 1) {
      if (node.keys[position]! >= end) return;
      yield node.values[position]!;
    }
    let depth = branches.length - 1;
    while (depth >= 0 && positions[depth]! + 1 >= branches[depth]!.keys.length) depth -= 1;
    if (depth < 0) return;
    positions[depth]! += 1;
    node = branches[depth]!.children![positions[depth]!]!;
    branches.length = depth + 1;
    positions.length = depth + 1;
    while (node.children !== undefined) {
      branches.push(node);
      positions.push(0);
      node = node.children[0]!;
    }
    position = 0;
  }
}

/** An immutable map. Keeping one keeps only what later versions replaced. */
export class OrderedMap<V> {
  readonly #root: TreeNode<V>;

  private constructor(root: TreeNode<V>) {
    this.#root = root;
  }

  static empty<V>(): OrderedMap<V> {
    return new OrderedMap(new TreeNode<V>({}, [], [], undefined, 0));
  }

  get size(): number {
    return this.#root.count;
  }

  get(key: string): V | undefined {
    return find(this.#root, key);
  }

  /** Values with `start <= key < end`, in key order. */
  range(start: string, end: string): IterableIterator<V> {
    return walk(this.#root, start, end);
  }

  /** The number of keys with `start <= key < end`, in logarithmic time. */
  count(start: string, end: string): number {
    return start < end ? rank(this.#root, end) - rank(this.#root, start) : 0;
  }

  /** A copy to change; nothing is copied before it is changed. */
  edit(): OrderedMapEditor<V> {
    return new OrderedMapEditor(this.#root, (root) => new OrderedMap(root));
  }
}

/**
 * A map being changed. Nodes that this editor made since its last `snapshot` are changed in place, all others are copied:
 * a bulk load or a group of writes copies each node once.
 */
export class OrderedMapEditor<V> {
  #root: TreeNode<V>;
  #owner: object = {};
  readonly #freeze: (root: TreeNode<V>) => OrderedMap<V>;
  #replaced: V | undefined = undefined;

  constructor(root: TreeNode<V>, freeze: (root: TreeNode<V>) => OrderedMap<V>) {
    this.#root = root;
    this.#freeze = freeze;
  }

  get size(): number {
    return this.#root.count;
  }

  get(key: string): V | undefined {
    return find(this.#root, key);
  }

  count(start: string, end: string): number {
    return start < end ? rank(this.#root, end) - rank(this.#root, start) : 0;
  }

  range(start: string, end: string): IterableIterator<V> {
    return this.snapshot().range(start, end);
  }

  /** Everything as it is now, as a value; the editor goes on with copies. */
  snapshot(): OrderedMap<V> {
    this.#owner = {};
    return this.#freeze(this.#root);
  }

  /** Sets a key and answers what stood there. */
  set(key: string, value: V): V | undefined {
    this.#replaced = undefined;
    const root = this.#editable(this.#root);
    const right = this.#insert(root, key, value);
    this.#root =
      right === undefined
        ? root
        : new TreeNode<V>(this.#owner, ["", right.keys[0]!], [], [root, right], root.count + right.count);
    const replaced = this.#replaced;
    this.#replaced = undefined;
    return replaced;
  }

  /** Removes a key and answers what stood there. */
  delete(key: string): V | undefined {
    const old = find(this.#root, key);
    if (old === undefined) return undefined;
    let root = this.#editable(this.#root);
    this.#remove(root, key);
    while (root.children !== undefined && root.children.length === 1) root = root.children[0]!;
    this.#root = root;
    return old;
  }

  #editable(node: TreeNode<V>): TreeNode<V> {
    if (node.owner === this.#owner) return node;
    return new TreeNode(this.#owner, node.keys.slice(), node.values.slice(), node.children?.slice(), node.count);
  }

  /** Inserts below an editable node; answers the new right sibling when the node had to be split. */
  #insert(node: TreeNode<V>, key: string, value: V): TreeNode<V> | undefined {
    if (node.children === undefined) {
      const index = lowerBound(node.keys, key);
      if (node.keys[index] === key) {
        this.#replaced = node.values[index];
        node.values[index] = value;
        return undefined;
      }
      node.keys.splice(index, 0, key);
      node.values.splice(index, 0, value);
      node.count += 1;
      return node.keys.length > nodeWidthMax ? this.#split(node, index) : undefined;
    }
    const index = childIndex(node.keys, key);
    const child = this.#editable(node.children[index]!);
    node.children[index] = child;
    const before = child.count;
    const right = this.#insert(child, key, value);
    if (right === undefined) {
      node.count += child.count - before;
      return undefined;
    }
    node.count += child.count + right.count - before;
    node.keys.splice(index + 1, 0, right.keys[0]!);
    node.children.splice(index + 1, 0, right);
    return node.keys.length > nodeWidthMax ? this.#split(node, index + 1) : undefined;
  }

  /** Keys that arrive in order leave full nodes behind. */
  #split(node: TreeNode<V>, insertedAt: number): TreeNode<V> {
    const width = node.keys.length;
    const at = insertedAt === width - 1 ? width - 2 : width >>> 1;
    const keys = node.keys.splice(at);
    const values = node.children === undefined ? node.values.splice(at) : [];
    const children = node.children?.splice(at);
    const count = children === undefined ? keys.length : sumOf(children);
    node.count -= count;
    return new TreeNode(this.#owner, keys, values, children, count);
  }

  #remove(node: TreeNode<V>, key: string): void {
    node.count -= 1;
    if (node.children === undefined) {
      const index = lowerBound(node.keys, key);
      node.keys.splice(index, 1);
      node.values.splice(index, 1);
      return;
    }
    const index = childIndex(node.keys, key);
    const child = this.#editable(node.children[index]!);
    node.children[index] = child;
    this.#remove(child, key);
    if (child.keys.length >= nodeWidthMin || node.children.length === 1) return;
    const leftIndex = index === 0 ? 0 : index - 1;
    this.#merge(node, leftIndex);
  }

  /** Joins two neighbours below an editable branch where one node can hold both. */
  #merge(node: TreeNode<V>, leftIndex: number): void {
    const children = node.children!;
    const right = children[leftIndex + 1]!;
    if (children[leftIndex]!.keys.length + right.keys.length > nodeWidthMax) return;
    const left = this.#editable(children[leftIndex]!);
    children[leftIndex] = left;
    const firstMoved = left.keys.length;
    left.keys.push(...right.keys);
    left.values.push(...right.values);
    if (left.children !== undefined) {
      left.children.push(...right.children!);
      left.keys[firstMoved] = node.keys[leftIndex + 1]!;
    }
    left.count += right.count;
    node.keys.splice(leftIndex + 1, 1);
    children.splice(leftIndex + 1, 1);
  }
}

function sumOf<V>(children: readonly TreeNode<V>[]): number {
  let count = 0;
  for (const child of children) count += child.count;
  return count;
}
