import type { CommitResult, Revision, Store, Transaction } from "#store/store.ts";

/** What the store promised: told to whoever checks that it keeps its word. */
export interface StoreWitness {
  acknowledged(revision: Revision, keys: readonly { readonly key: string; readonly type: "put" | "delete" }[]): void;
}

/** The same store; each transaction that it answered with success is told to the witness. */
export function watchedStore(store: Store, witness: StoreWitness): Store {
  const commit = async (transaction: Transaction): Promise<CommitResult> => {
    const result = await store.commit(transaction);
    if (result.ok)
      witness.acknowledged(
        result.revision,
        transaction.operations.map(({ key, type }) => ({ key, type })),
      );
    return result;
  };
  return new Proxy(store, {
    get: (target, name) => {
      if (name === "commit") return commit;
      const member: unknown = Reflect.get(target, name, target);
      return typeof member === "function" ? (member.bind(target) as unknown) : member;
    },
  });
}
