/** A queue in one circular array: items leave in the order they came, and the i-th oldest is found at once. */
export class Ring<T> {
  #items: (T | undefined)[];
  #first = 0;
  #length = 0;

  constructor(capacity = 16) {
    let size = 2;
    while (size < capacity) size *= 2;
    this.#items = Array.from<T | undefined>({ length: size });
  }

  get length(): number {
    return this.#length;
  }

  push(item: T): void {
    if (this.#length === this.#items.length) this.#grow();
    this.#items[(this.#first + this.#length) & (this.#items.length - 1)] = item;
    this.#length += 1;
  }

  /** Takes the oldest item out. */
  shift(): T | undefined {
    if (this.#length === 0) return undefined;
    const item = this.#items[this.#first];
    this.#items[this.#first] = undefined;
    this.#first = (this.#first + 1) & (this.#items.length - 1);
    this.#length -= 1;
    return item;
  }

  /** The item at `index`, counted from the oldest; undefined outside of the ring. */
  at(index: number): T | undefined {
    if (index < 0 || index >= this.#length) return undefined;
    return this.#items[(this.#first + index) & (this.#items.length - 1)];
  }

  clear(): void {
    this.#items.fill(undefined);
    this.#first = 0;
    this.#length = 0;
  }

  #grow(): void {
    const items = Array.from<T | undefined>({ length: this.#items.length * 2 });
    for (let i = 0; i < this.#length; i += 1) items[i] = this.at(i);
    this.#items = items;
    this.#first = 0;
  }
}
