/** On a Service: `"true"` sends what pods ask of it through their node's proxy, `"false"` never does. */
export const throughProxyAnnotation = "steersman.dev/through-proxy";

/** Of a Service's status, and of a Canary's that steers its users: whether that is so, and why not. */
export const throughProxyCondition = "ThroughProxy";
