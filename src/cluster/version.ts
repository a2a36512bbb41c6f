/** What the server and the nodes call themselves. A `-suffix` would break charts' version ranges; build metadata does not. */
export const gitVersion = "v1.36.0+steersman.1";

export const versionInfo = { major: "1", minor: "36", gitVersion } as const;
