/** Milliseconds: how old a sample may be that `kubectl top` shows. */
export const sampleAgeMaxMs = 4_000;
/** Milliseconds: clients cannot make nodes measure more often than this. */
export const sampleAgeMinMs = 900;
/** Milliseconds a node gets for its answer; what is missing then is missing. */
export const nodeAnswerMs = 3_000;
/** Milliseconds a node that did not answer is left alone. */
export const nodeRestMs = 5_000;
/** Milliseconds without a sign of life after which a node that does not answer counts as gone: twice what its pods are tolerated. */
export const nodeLostMs = 600_000;
/** Nodes asked at the same time. */
export const nodesAskedMax = 32;
/** Pods named to a node one by one; for more of them all of the node's pods are measured. */
export const podsNamedMax = 30;
/** Milliseconds the history gets for an answer. */
export const historyAnswerMs = 35_000;
/** Pods that a query names one by one. */
export const podsQueriedMax = 200;
/** Series of one metric that custom and external metrics tell; of more, none. */
export const seriesMax = 5_000;
/** How much of the past `workloadusages` show, and the length of one of their values. */
export const sparkMs = 30 * 60_000;
export const sparkStepMs = 90_000;
/** How much of the history advice looks at unless told. */
export const adviceWindow = "1d";
/** Routes and versions of a node whose requests are told one by one, each in some twenty series. */
export const routesToldMax = 150;
/** Registers of a sketch of users that a node may tell. */
export const sketchRegistersMax = 65_536;
