/** Bytes of a request's body, as upstream. */
export const requestBytesMax = 3 * 1024 * 1024;
/** Bytes of a stored object, as etcd's default allows. */
export const objectBytesMax = 1_572_864;
/** Requests that change something, in flight at once. */
export const writesInFlightMax = 200;
/** Requests that read, in flight at once; watches do not count. */
export const readsInFlightMax = 400;
/** What a client is told to wait when too much is in flight, in seconds. */
export const retryAfterSeconds = 1;
/** How often generateName tries another suffix. */
export const generateNameAttemptsMax = 8;
/** How often a write without a precondition is judged again after somebody else was faster. */
export const conflictAttemptsMax = 5;
/** Reads at a revision that the server has not reached wait this long, in milliseconds. */
export const futureRevisionWaitMs = 3_000;
/** A bookmark goes to each watch that asked for them at least this often, in milliseconds. */
export const bookmarkIntervalMs = 55_000;
/** Frames of a watch that wait for its client; beyond them the watch is broken off. In bytes. */
export const watchBacklogBytesMax = 8 * 1024 * 1024;
/** The same in frames: the fixed cost of a frame is memory too. */
export const watchBacklogFramesMax = 10_000;
/** Frames of a watch that wait for the same moment are sent in pieces of this size, in bytes. */
export const watchPieceBytesMax = 64 * 1024;
/** A watch without timeoutSeconds ends after this time and as much again at random, in seconds. */
export const watchTimeoutSecondsMin = 1_800;
/** Watches of the whole server. */
export const watchesMax = 50_000;
/** A list beyond this is sent in slices of this size, in bytes. */
export const listSliceBytes = 512 * 1024;
/** Room for a list before more is made, in bytes: most lists are small, and agents make many. */
export const listFirstSliceBytes = 16 * 1024;
/** Work on one request goes on for this long before other requests get their turn, in milliseconds. */
export const sliceMs = 5;
/** A write of a larger object gives others their turn between its steps, in bytes. */
export const turnsBytesMin = 128 * 1024;
/** Bytes of stored objects whose decoded form is kept beside them: about four times as much memory. */
export const decodedBytesMax = 8 * 1024 * 1024;
/** The same once the server is at rest: when less than this was decoded … */
export const decodedBytesAtRestMax = 1024 * 1024;
/** … in this time, in milliseconds. */
export const restLookMs = 2_500;
/** Selectors on a resource with fewer objects look at all of them; with more, indexes are made. */
export const indexedObjectsMin = 1_000;
/** Indexes that are kept: labels of a resource, or one field of it. */
export const selectionIndexesMax = 64;
/** Lists of so many objects are kept for the server's own stages as long as nothing changes … */
export const keptListLengthMax = 64;
/** … and so many of these lists of a resource … */
export const keptListsMax = 4_096;
/** … and so many of its objects one by one. */
export const keptEntriesMax = 1_024;
/** Answers smaller than this are not worth compressing, in bytes. */
export const gzipBytesMin = 128 * 1024;
/** Accept headers whose reading is remembered. */
export const acceptCacheMax = 256;
/** Objects that one transaction of a deletecollection takes away. */
export const deleteBatchMax = 200;
/** Characters of a name in a path. */
export const segmentLengthMax = 1_024;
/** Content types whose headers are kept. */
export const contentTypesKeptMax = 32;
/** Records of one subject that a request may ask for. */
export const recordsMax = 500;
/** Bytes of one record. */
export const recordBytesMax = 8 * 1024;
/** Needs of nodes (a node, a namespace, an object) for which the pod that has them is remembered. */
export const witnessesMax = 20_000;
/** Bytes of one stream inside the process that wait for their turn; beyond them the stream waits. */
export const inProcessBacklogBytesMax = 4 * 1024 * 1024;
/** Pieces of such a stream that are handed over in one turn: some 20 µs of work each. */
export const inProcessPiecesPerTurn = 16;
/** A request that is no stream is answered within this time, in milliseconds; what it began may still end well. */
export const requestTimeoutMs = 60_000;
