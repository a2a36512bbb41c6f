import { configurationGroup, readDocument, type Configured, type Section } from "./document.ts";

/** A claim as it is, behind a prefix, or what an expression makes of the claims. */
export type ClaimSource =
  | { readonly claim: string; readonly prefix: string }
  | { readonly expression: string }
  /** Nothing was said. */
  | undefined;

export interface Rule {
  readonly expression: string;
  readonly message: string;
}

/** Somebody whose signed tokens (OpenID Connect) say who a caller is. */
export interface JwtIssuer {
  /** Must be the `iss` of its tokens, to the letter. */
  readonly url: string;
  /** Where its discovery document lies, when not below `url`. */
  readonly discoveryUrl?: string;
  /** PEM; absent: the CAs of the system. */
  readonly ca?: string;
  /** One of them must be an `aud` of a token. */
  readonly audiences: readonly string[];
  /** Claims that must have exactly this value. */
  readonly requiredClaims: readonly { readonly claim: string; readonly value: string }[];
  readonly claimRules: readonly Rule[];
  readonly userRules: readonly Rule[];
  readonly username: Exclude<ClaimSource, undefined>;
  readonly groups: ClaimSource;
  readonly uid: ClaimSource;
  readonly extra: readonly { readonly key: string; readonly expression: string }[];
}

export interface AuthenticationSettings {
  readonly issuers: readonly JwtIssuer[];
  /** Where nobody needs to say who they are; undefined: the usual paths. */
  readonly anonymousPaths?: readonly string[];
}

const issuersMax = 64;

/** Reads `AuthenticationConfiguration` (apiserver.config.k8s.io/v1). Expressions are compiled by whoever uses them. */
export function readAuthentication(
  text: string,
  forbiddenIssuers: readonly string[],
): Configured<AuthenticationSettings> {
  const apiVersions = [`${configurationGroup}/v1`, `${configurationGroup}/v1beta1`];
  return readDocument(text, { kind: "AuthenticationConfiguration", apiVersions }, (root) => {
    const sections = root.sections("jwt");
    if (issuersMax < sections.length) root.problem("jwt", `must have at most ${issuersMax} items`);
    const issuers = sections.map((section) => readIssuer(section, forbiddenIssuers));
    const urls = issuers.flatMap(({ url, discoveryUrl }) => (discoveryUrl === undefined ? [url] : [url, discoveryUrl]));
    const twice = urls.find((url, index) => urls.indexOf(url) !== index);
    if (twice !== undefined) root.problem("jwt", `Duplicate value: "${twice}"`);
    const anonymousPaths = readAnonymous(root.section("anonymous"));
    root.end();
    return { issuers, ...(anonymousPaths !== undefined && { anonymousPaths }) };
  });
}

function readAnonymous(section: Section | undefined): readonly string[] | undefined {
  if (section === undefined) return undefined;
  const isEnabled = section.flag("enabled") ?? false;
  const paths = section.sections("conditions").map((condition) => {
    const path = condition.neededText("path");
    condition.end();
    return path;
  });
  if (!isEnabled && paths.length > 0)
    section.problem("conditions", "enabled should be set to true when conditions are defined");
  if (isEnabled && paths.length === 0)
    section.problem("conditions", "name the paths: this server knows no anonymous access to all");
  section.end();
  return paths;
}

function readIssuer(section: Section, forbidden: readonly string[]): JwtIssuer {
  const issuer = section.section("issuer");
  if (issuer === undefined) section.problem("issuer", "Required value");
  const url = issuer === undefined ? "" : readUrl(issuer, "url");
  if (url === "") issuer?.problem("url", "Required value");
  if (forbidden.includes(url)) issuer?.problem("url", "URL must not overlap with disallowed issuers");
  const discoveryUrl = issuer === undefined ? "" : readUrl(issuer, "discoveryURL");
  if (discoveryUrl !== "" && discoveryUrl === url) issuer?.problem("discoveryURL", "must be different from URL");
  const ca = issuer?.text("certificateAuthority") ?? "";
  if (ca !== "" && !ca.includes("-----BEGIN CERTIFICATE-----")) issuer?.problem("certificateAuthority", "is no PEM");
  const audiences = issuer === undefined ? [] : readAudiences(issuer);
  issuer?.has("egressSelectorType");
  issuer?.end();
  const { requiredClaims, claimRules } = readClaimRules(section);
  const userRules = section.sections("userValidationRules").map(readRule);
  checkTwice(
    section,
    "userValidationRules",
    userRules.map(({ expression }) => expression),
  );
  const mappings = readMappings(section);
  checkEmail(section, mappings, claimRules);
  section.end();
  return {
    url,
    ...(discoveryUrl !== "" && { discoveryUrl }),
    ...(ca !== "" && { ca }),
    audiences,
    requiredClaims,
    claimRules,
    userRules,
    ...mappings,
  };
}

function readUrl(issuer: Section, field: string): string {
  const text = issuer.text(field) ?? "";
  if (text === "") return "";
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== "https:") issuer.problem(field, "URL scheme must be https");
  if (text.includes("@")) issuer.problem(field, "URL must not contain a username or password");
  if (text.includes("?")) issuer.problem(field, "URL must not contain a query");
  if (text.includes("#")) issuer.problem(field, "URL must not contain a fragment");
  return text;
}

function readAudiences(issuer: Section): readonly string[] {
  const audiences = issuer.texts("audiences");
  if (audiences.length === 0 || audiences.includes(""))
    issuer.problem("audiences", "at least one is required, none empty");
  checkTwice(issuer, "audiences", audiences);
  const policy = issuer.text("audienceMatchPolicy") ?? "";
  if (policy !== "" && policy !== "MatchAny") issuer.problem("audienceMatchPolicy", "must be MatchAny");
  if (audiences.length > 1 && policy === "")
    issuer.problem("audienceMatchPolicy", "must be MatchAny for multiple audiences");
  return audiences;
}

function readClaimRules(section: Section): Pick<JwtIssuer, "requiredClaims" | "claimRules"> {
  const requiredClaims: { claim: string; value: string }[] = [];
  const claimRules: Rule[] = [];
  for (const rule of section.sections("claimValidationRules")) {
    const claim = rule.text("claim") ?? "";
    const expression = rule.text("expression") ?? "";
    const value = rule.text("requiredValue") ?? "";
    const message = rule.text("message") ?? "";
    if ((claim === "") === (expression === "")) rule.problem("claim", "exactly one of claim or expression is required");
    if (claim === "" && value !== "") rule.problem("requiredValue", "may only be set with claim");
    if (expression === "" && message !== "") rule.problem("message", "may only be set with expression");
    rule.end();
    if (claim === "") claimRules.push({ expression, message });
    else requiredClaims.push({ claim, value });
  }
  checkTwice(section, "claimValidationRules", [
    ...requiredClaims.map(({ claim }) => claim),
    ...claimRules.map(({ expression }) => expression),
  ]);
  return { requiredClaims, claimRules };
}

function readRule(rule: Section): Rule {
  const read = { expression: rule.neededText("expression"), message: rule.text("message") ?? "" };
  rule.end();
  return read;
}

type Mappings = Pick<JwtIssuer, "username" | "groups" | "uid" | "extra">;

function readMappings(section: Section): Mappings {
  const mappings = section.section("claimMappings");
  if (mappings === undefined) {
    section.problem("claimMappings.username", "claim or expression is required");
    return { username: { expression: "" }, groups: undefined, uid: undefined, extra: [] };
  }
  const username = readSource(mappings.section("username"), true);
  if (username === undefined) mappings.problem("username", "claim or expression is required");
  const groups = readSource(mappings.section("groups"), true);
  const uid = readSource(mappings.section("uid"), false);
  const extra = mappings.sections("extra").map((each) => {
    const read = { key: each.neededText("key"), expression: each.neededText("valueExpression") };
    const problem = extraKeyProblem(read.key);
    if (problem !== undefined) each.problem("key", problem);
    each.end();
    return read;
  });
  checkTwice(
    mappings,
    "extra",
    extra.map(({ key }) => key),
  );
  mappings.end();
  return { username: username ?? { expression: "" }, groups, uid, extra };
}

/** A path behind a domain, in lower case; the domains of Kubernetes itself are not for issuers. */
function extraKeyProblem(key: string): string | undefined {
  const [domain = "", ...path] = key.split("/");
  if (path.length === 0 || path[0] === "" || !/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/.test(domain))
    return "must be a domain-prefixed path (such as example.org/foo)";
  if (key !== key.toLowerCase()) return "must be lowercase";
  return /(^|\.)(kubernetes|k8s)\.io$/.test(domain) ? "k8s.io and kubernetes.io are reserved" : undefined;
}

function readSource(section: Section | undefined, hasPrefix: boolean): ClaimSource {
  if (section === undefined) return undefined;
  const claim = section.text("claim") ?? "";
  const expression = section.text("expression") ?? "";
  const prefix = hasPrefix ? section.text("prefix") : "";
  section.end();
  if (claim !== "" && expression !== "") section.problem("claim", "claim and expression exclude each other");
  if (hasPrefix && expression !== "" && prefix !== undefined)
    section.problem("prefix", "may not be set with expression");
  if (claim === "") return expression === "" ? undefined : { expression };
  // Said outright, so that nobody is given the names of the system by an oversight.
  if (prefix === undefined) section.problem("prefix", 'is required when claim is set, it can be ""');
  return { claim, prefix: prefix ?? "" };
}

/** Whoever takes names from `claims.email` must look at `claims.email_verified` somewhere. */
function checkEmail(section: Section, { username, extra }: Mappings, rules: readonly Rule[]): void {
  if (!("expression" in username) || !/claims\.email\b/.test(username.expression)) return;
  const looks = [username, ...extra, ...rules].some(({ expression }) => expression.includes("claims.email_verified"));
  if (looks) return;
  section.problem(
    "claimMappings.username.expression",
    "claims.email_verified must be used where claims.email is used (username, extra or claimValidationRules)",
  );
}

function checkTwice(section: Section, field: string, values: readonly string[]): void {
  const twice = values.find((value, index) => values.indexOf(value) !== index);
  if (twice !== undefined) section.problem(field, `Duplicate value: "${twice}"`);
}
